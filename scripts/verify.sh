#!/usr/bin/env bash
# Checks the chain of an audit log with nothing of Writ's: bash, sha256sum and jq.
#
#   scripts/verify.sh audit.jsonl
#   scripts/verify.sh audit.000000000000.jsonl audit.000000000107.jsonl audit.jsonl
#
# Several files are one log, the oldest first. The first has to begin with record 0.
#
# Prints "OK <records> head <hash>" and exits 0, or the first bad line (counted from 0) and exits 2.
set -euo pipefail
export LC_ALL=C # offsets below count bytes

[ $# -gt 0 ] || { echo 'usage: scripts/verify.sh <log> [<next file of the log> ...]' >&2; exit 64; }
command -v jq > /dev/null || { echo 'verify.sh: jq is not installed' >&2; exit 69; }

bad() { echo "BAD line $n: $1"; exit 2; }

prev=$(printf '0%.0s' {1..64})
n=0
for log in "$@"; do
  [ -s "$log" ] || { echo "verify.sh: $log is empty or missing" >&2; exit 2; }
  # bash drops NUL bytes as it reads, and would hash a line without the ones that somebody put in.
  [ "$(tr -d '\0' < "$log" | wc -c)" -eq "$(wc -c < "$log")" ] || { echo 'BAD: the log has NUL bytes'; exit 2; }

  while IFS= read -r line || { [ -z "$line" ] || bad 'it does not end in LF'; false; }; do
    # A line ends in ,"hash":"<64 hex>"} and the hash covers every byte before these 75.
    [[ $line =~ ,\"hash\":\"([0-9a-f]{64})\"\}$ ]] || bad 'no hash at its end'
    hash=${BASH_REMATCH[1]}
    [ "$(printf '%s' "${line:0:${#line}-75}" | sha256sum | cut -c1-64)" = "$hash" ] || bad 'its hash does not match its bytes'
    [ "$(printf '%s' "$line" | jq -r .prev_hash)" = "$prev" ] || bad 'its prev_hash is not the hash of the line before'
    [ "$(printf '%s' "$line" | jq -r .seq)" = "$n" ] || bad 'its seq is not its place'
    prev=$hash
    n=$((n + 1))
  done < "$log"
done
echo "OK $n head $prev"
