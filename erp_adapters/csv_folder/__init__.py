"""An ERP that is known by a folder of CSV files: see the README beside this."""
