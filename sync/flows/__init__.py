"""The flows: read, plan, apply, record. Each is started by a schedule or a person."""
