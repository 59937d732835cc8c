"""What a system is: one file per profile, data only."""
