"""Set-up of the project's virtual environment, with the standard library only.

`stages` says what is done, in which order and with which requirement files;
`project` says where, and when a stage counts as done; `checks` says what a machine
must have and explains failures; `runner` runs pip with visible progress; `main`
locks, resumes and reports; `verify` is run by the finished environment.
"""
