"""The DICOM forms of a report: structured report, segmentations of the evidence, key objects."""
