"""One file per check: settings, refusal reasons, logic. A layer never names a profile."""
