#!/usr/bin/env bash
# Checks the chain of an audit log with nothing of Writ's: bash, awk, coreutils and jq.
#
#   scripts/verify.sh audit.jsonl
#   scripts/verify.sh audit.000000000000.jsonl audit.000000000107.jsonl audit.jsonl
#   scripts/verify.sh audit.jsonl -- other.jsonl
#
# Several files are one log, the oldest first. The first has to begin with record 0. After -- begins another log.
#
# Prints "OK <records> head <hash>" for each and exits 0, or the first bad line (counted from 0) and exits 2.
set -euo pipefail
export LC_ALL=C # offsets below count bytes

[ $# -gt 0 ] || { echo 'usage: scripts/verify.sh <log> [<next file of the log> ...] [-- <another log> ...]' >&2; exit 64; }
for tool in jq awk sha256sum split truncate; do
  command -v "$tool" > /dev/null || { echo "verify.sh: $tool is not installed" >&2; exit 69; }
done

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

for log in "$@"; do
  [ "$log" != -- ] || continue
  # One of several files may have no records yet.
  [ -s "$log" ] || { [ -f "$log" ] && [ $# -gt 1 ]; } || { echo "verify.sh: $log is empty or missing" >&2; exit 2; }
  # bash drops NUL bytes as it reads, and would not see those that somebody put in.
  tr -d '\0' < "$log" | cmp -s - "$log" || { echo 'BAD: the log has NUL bytes'; exit 2; }
  awk 1 < "$log" >> "$tmp/lines" # every line, with an LF if it has none
done
[ -s "$tmp/lines" ] || { echo 'verify.sh: the log is empty' >&2; exit 2; }

# The hash of a line covers every byte but the last 75, which are ,"hash":"<64 hex>"} and its LF. Each line is put
# into a file of its own, so that many are hashed at once; and jq says of all of them what they claim to be.
split -l 10000 -a 6 "$tmp/lines" "$tmp/part."
for part in "$tmp"/part.*; do
  split -l 1 -a 4 "$part" "$tmp/line."
  truncate -s -76 "$tmp"/line.*
  sha256sum "$tmp"/line.*
  rm "$tmp"/line.*
done > "$tmp/sums"
jq -cR 'try (fromjson | [.prev_hash, .seq]) catch null' "$tmp/lines" > "$tmp/claims"

begin() { prev=$(printf '0%.0s' {1..64}); n=0; }
bad() { echo "BAD line $n: $1"; exit 2; }

begin
for log in "$@" --; do
  if [ "$log" = -- ]; then
    [ "$n" -gt 0 ] || { echo 'verify.sh: the log is empty' >&2; exit 2; }
    echo "OK $n head $prev"
    begin
    continue
  fi
  while IFS= read -r line || { [ -z "$line" ] || bad 'it does not end in LF'; false; }; do
    read -r sum _ <&3 && read -r claim <&4 || bad 'it could not be read'
    [[ ${line: -75} =~ ^,\"hash\":\"([0-9a-f]{64})\"\}$ ]] || bad 'no hash at its end'
    hash=${BASH_REMATCH[1]}
    [ "$sum" = "$hash" ] || bad 'its hash does not match its bytes'
    [[ $claim = "[\"$prev\","* ]] || bad 'its prev_hash is not the hash of the line before'
    [ "$claim" = "[\"$prev\",$n]" ] || bad 'its seq is not its place'
    prev=$hash
    n=$((n + 1))
  done < "$log"
done 3< "$tmp/sums" 4< "$tmp/claims"
