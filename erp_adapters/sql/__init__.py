"""Any ERP whose database SQLAlchemy reaches, described by a profile alone."""
