"""Every word that tells a person what to do: hints, remedies, common confusions."""
