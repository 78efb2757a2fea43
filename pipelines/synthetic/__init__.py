"""The synthetic hospital: drawn chests as DICOM, reports in two idioms, and the truth apart."""
