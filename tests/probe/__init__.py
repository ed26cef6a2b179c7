"""The probe against plain PyTorch."""
