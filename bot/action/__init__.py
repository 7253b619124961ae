"""One run inside GitHub Actions: inputs and an event in, a review, an answer or a verdict out. Needs no server and no checkout.

The same use cases as the server's and the terminal's, behind another door. Reads nothing of the workspace but the analyzer's
file that was named to it, and runs no code of a pull request.
"""
