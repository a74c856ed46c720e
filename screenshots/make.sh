#!/usr/bin/env bash
# Makes the pictures in this folder from real runs of the program on its own demo: of the release build, or of the binary
# that KAUDITUI names.
# Needs tmux, python3 and `pip install resvg_py`. Usage: screenshots/make.sh [NAME...]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
wanted=" $* "
if [[ -z ${KAUDITUI:-} ]]; then
  cargo build --release --quiet
  KAUDITUI=target/release/kauditui
fi
shot() { # NAME SIZE KEYS... : one picture after these keys
  local name=$1 size=$2
  shift 2
  [[ $wanted == "  " || $wanted == *" $name "* ]] || return 0
  local keys=()
  for spec in "$@"; do keys+=(--keys "$spec"); done
  python3 "$here/tools/shot.py" "$here/$name.png" --size "$size" --wait "END" --settle 0.4 "${keys[@]}" -- \
    "$KAUDITUI" --config /dev/null --demo
}
shot timeline 120x36 / 'text:novelapp is:write' Enter
shot timeline-80x24 80x24 / 'text:is:write -user:system:*' Enter
shot detail 120x36 / 'text:verb:delete name:novelapp' Enter Enter
shot filter 80x24 / 'text:code:>=400 usr:mal'
shot completion 120x36 / 'text:code:>=400 user:'
shot users 120x36 2 'j j'
shot alerts 120x36 3 'B j j'
shot statistics 120x36 : 'text:by user,verb' Enter
shot changes 120x36 : 'text:changes -1h' Enter
shot facets 120x36 f 'text:user' Enter Down Enter 'text:verb' Enter
shot histogram 120x36 / 'text:is:write' Enter i 'Home l l l l l l l l' Space 'l l l l l l l l'
shot chain 120x36 / 'text:verb:delete resource:deploy name:novelapp' Enter C
shot history 120x36 / 'text:verb:delete resource:deploy name:novelapp' Enter H 'j j'
shot session 120x36 / 'text:user:bob name:novelapp is:write' Enter K
shot access 120x36 / 'text:user:mallory code:403 resource:secrets' Enter R
shot help 120x36 '?'
shot wide 200x50 / 'text:mallory' Enter v
