import runpy
runpy.run_path("inner.py", run_name="__main__")
