"""Files of documents in storage that speaks the protocol of S3. Needs the extra ``s3``."""
