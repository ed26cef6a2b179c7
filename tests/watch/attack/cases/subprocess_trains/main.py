import subprocess, sys
r = subprocess.run([sys.executable, "inner.py"], capture_output=True, text=True)
print(r.returncode, r.stdout, r.stderr)
