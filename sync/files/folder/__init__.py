"""Files of documents in a folder of this machine, or of a share that is mounted here."""
