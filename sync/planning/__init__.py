"""What must change so that the store shows what the ERP says. Pure."""
