"""Contract fakes of vector stores that no registry carries, written from the providers' documentation.

Each keeps points in memory, compares them with numpy, and refuses every method, path, header or body but the
documented; what it refused is in `Strict.faults`, and the test that opened it fails. Entry points: the files.
"""
