"""What adapters and stores share; it knows the domain and the errors, and no ERP."""
