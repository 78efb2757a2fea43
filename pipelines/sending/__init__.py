"""Sending DICOM files to an archive: C-STORE and STOW-RS, with one answer for every file."""
