"""The built-in model `demo-rules`: rules that answer where a model would, so that everything can be tried without one."""
