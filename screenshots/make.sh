#!/usr/bin/env bash
# Makes the pictures in this folder from real runs of the release binary on its own demo.
# Needs tmux, python3 and `pip install resvg_py`. Usage: screenshots/make.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
cargo build --release --quiet
program=target/release/kauditui
shot() { # NAME SIZE KEYS... : one picture after these keys
  local name=$1 size=$2
  shift 2
  local keys=()
  for spec in "$@"; do keys+=(--keys "$spec"); done
  python3 "$here/tools/shot.py" "$here/$name.png" --size "$size" --wait "demo" --settle 0.4 "${keys[@]}" -- "$program" --demo
}
shot timeline 120x36 / 'text:novelapp is:write' Enter
shot timeline-80x24 80x24 / 'text:is:write -user:system:*' Enter
shot detail 120x36 / 'text:verb:delete name:novelapp' Enter Enter
shot filter 80x24 / 'text:code:>=400 usr:mal'
shot help 120x36 '?'
shot wide 200x50 / 'text:mallory' Enter v
