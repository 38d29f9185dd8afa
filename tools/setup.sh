#!/usr/bin/env bash
# Creates or completes .venv with uv and the versions in requirements.lock. See CONTRIBUTING.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
fail() { echo "mmsnn set-up: error: $*" >&2; exit 1; }
version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2> /dev/null; }

exec 9> .venv.lock
flock --nonblock 9 || { echo 'mmsnn set-up: waiting for another set-up of this folder' >&2; flock 9; }

present=$(version_of .venv/bin/python || true)
wanted=$present
if [ -n "${PYTHON:-}" ] || [ -z "$present" ]; then
    PYTHON=${PYTHON:-python3}
    wanted=$(version_of "$PYTHON") || fail "$PYTHON does not run: install Python 3.11 to 3.13 with pip and its C headers, or name it: make env PYTHON=/path/to/python3.11"
fi
case $wanted in 3.11 | 3.12 | 3.13) ;; *) fail "Python 3.11 to 3.13 is needed, but ${PYTHON:-.venv/bin/python} is $wanted; name another: make env PYTHON=/path/to/python3.11" ;; esac

# .venv.state records the Python and folder of .venv, and its contents or "incomplete"
made_for="$wanted in $PWD:"
contents=$(cat requirements.lock pyproject.toml setup.py tools/setup.sh | sha256sum)
state=$(cat .venv.state 2> /dev/null || true)
[ -z "$present" ] || [ "$state" != "$made_for $contents" ] || exit 0
[ ! -e .venv ] || [ -n "$state" ] || fail "$PWD/.venv was not made by this set-up: move it away or delete it"

uv=$(command -v uv || echo "$PWD/.uv/bin/uv")
if [ ! -x "$uv" ]; then
    "${PYTHON:-.venv/bin/python}" -m pip install --quiet --disable-pip-version-check --target .uv uv \
        || fail "uv could not be installed by ${PYTHON:-python3} -m pip: install pip (Debian, Ubuntu: apt install python3-pip) or uv itself"
fi
export UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV="$PWD/.venv"
# compile Python files once, on all cores, instead of at the first start of each command
export UV_COMPILE_BYTECODE=1
unset PYTHONPATH PYTHONHOME
echo "$made_for incomplete" > .venv.state
# An incomplete environment is created again, from uv's cache of downloads and wheels.
case $state in "$made_for incomplete") present='' ;; "$made_for"*) ;; *) present='' ;; esac
[ -n "$present" ] || "$uv" venv --clear --python "${PYTHON:-$wanted}" .venv

# Flags for compiling MMCV: debug information would triple the time and the size. Without
# CUDA's compiler, MMCV's build fails if it sees a GPU.
export CFLAGS="-O2 ${CFLAGS:-} -g0" CXXFLAGS="-O2 ${CXXFLAGS:-} -g0" MAX_JOBS="${MAX_JOBS:-$(nproc)}"
if ! command -v nvcc > /dev/null && [ ! -x "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" ]; then
    export CUDA_VISIBLE_DEVICES=''
    ! command -v nvidia-smi > /dev/null || echo 'mmsnn set-up: a GPU but no CUDA compiler (nvcc): the operators of MMCV will work on the CPU only'
fi
install() { "$uv" pip install --no-deps --no-build-isolation "$@"; }
mmcv_works() { .venv/bin/python -c 'import mmcv.ops' 2> /dev/null; }

"$uv" pip install --constraint requirements.lock --group torch --group build
echo 'mmsnn set-up: MMCV is compiled if there is no wheel of it, which takes 5 to 20 minutes'
install -r requirements.lock || fail 'see above; to compile MMCV, a C++ compiler and the C headers of Python are needed (Debian, Ubuntu: apt install g++ python3-dev)'
# a wheel from a cache may be of another PyTorch
mmcv_works || install --no-cache --reinstall-package onedl-mmcv --no-binary-package onedl-mmcv "$(grep -o '^onedl-mmcv==[^ ]*' requirements.lock)"
install --editable .
.venv/bin/python -c 'import cv2, torch, mmcv.ops, mmdet, mmpretrain, spikingjelly, mmsnn' > /dev/null
echo "$made_for $contents" > .venv.state
echo 'mmsnn set-up: done'
