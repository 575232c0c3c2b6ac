"""What somebody would write in place of the program: scripts, each run as a process of its own. They import nothing of
the program and nothing of the bench (bench.purity)."""
