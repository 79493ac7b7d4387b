#!/usr/bin/env bash
# Runs kplan once for action.yml: the report for people goes to the log, and from the same run come SARIF, annotations
# and the summary of the step. Ends with 0; GITHUB_OUTPUT gets kplan's exit code.
set -euo pipefail
source "$GITHUB_ACTION_PATH/.github/action/problem.sh"

folder=$(mktemp -d "$RUNNER_TEMP/kplan-run.XXXXXX")

# Sets `arguments` from the inputs.
read_inputs() {
  arguments=("$INPUT_COMMAND" --color=always --output=human --output="sarif=$folder/kplan.sarif")
  arguments+=(--output="json=$folder/kplan.json" --output="github=$folder/annotations")
  arguments+=(--output="markdown=$folder/summary.md")
  [[ -z $INPUT_BASE ]] || arguments+=("--base=$INPUT_BASE")
  [[ -z $INPUT_KUBE_VERSION ]] || arguments+=("--kube-version=$INPUT_KUBE_VERSION")
  [[ -z $INPUT_FAIL_ON ]] || arguments+=("--fail-on=$INPUT_FAIL_ON")
  [[ -z $INPUT_NODES ]] || arguments+=("--nodes=$INPUT_NODES")
  [[ -z $INPUT_CONTEXT ]] || arguments+=("--context=$INPUT_CONTEXT")
  local line
  # `--name value` are two arguments, and the value may hold spaces; so may that of `--name=value`.
  while read -r line; do
    case $line in
      '') ;;
      -*' '*)
        if [[ ${line%% *} == *=* ]]; then arguments+=("$line"); else arguments+=("${line%% *}" "${line#* }"); fi
        ;;
      *) arguments+=("$line") ;;
    esac
  done <<<"$INPUT_ARGS"
  arguments+=(--)
  # Annotations and SARIF name files from the repository's root.
  while read -r line; do
    [[ $line != "$GITHUB_WORKSPACE" ]] || line=.
    [[ -z $line ]] || arguments+=("${line#"$GITHUB_WORKSPACE"/}")
  done <<<"$INPUT_PATHS"
}

# What manifests and kplan say is no command for the runner; nobody can guess the word that ends the silence.
run() {
  local token
  token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  code=0
  echo "::stop-commands::$token"
  # Git Bash would rewrite what looks to it like a path.
  MSYS2_ARG_CONV_EXCL='*' "$KPLAN" "${arguments[@]}" </dev/null 2>"$folder/errors" || code=$?
  cat "$folder/errors"
  echo
  echo "::$token::"
}

# number KEY: a count of the report's summary, which is its last and a small part.
number() {
  local pattern="\"$1\":([0-9]+)"
  if [[ $counts =~ $pattern ]]; then echo "${BASH_REMATCH[1]}"; else echo 0; fi
}

write_outputs() {
  echo "exit-code=$code"
  [[ -f $folder/kplan.json ]] || return 0
  counts=$(tail -c 2000 "$folder/kplan.json" | LC_ALL=C sed 's/.*"summary"://')
  echo "errors=$(number error)"
  echo "warnings=$(number warning)"
  echo "findings=$(($(number error) + $(number warning) + $(number info)))"
  echo "sarif=$folder/kplan.sarif"
  echo "json=$folder/kplan.json"
  if [[ $counts == *'"changes":'* ]]; then
    local changes=0 action
    for action in create update replace delete conflict; do
      changes=$((changes + $(number "$action")))
    done
    echo "changes=$changes"
  fi
}

case $INPUT_COMMAND in
  check | plan | simulate | diff)
    read_inputs
    run
    ;;
  *)
    code=2
    echo "error: command: \`$INPUT_COMMAND\` is none of check, plan, simulate, diff" >"$folder/errors"
    ;;
esac
if [[ -f $folder/kplan.json ]]; then
  # The log has the rest already.
  grep '^::' "$folder/annotations" || true
  cat "$folder/summary.md" >>"$GITHUB_STEP_SUMMARY"
elif [[ $code != 0 ]]; then
  errors=$(head -c 4000 "$folder/errors")
  problem "${errors:-kplan ended with $code without a word}"
  # Four spaces make it code, in which nothing is markup.
  printf '## ✗ kplan ended with %s\n\n%s\n' "$code" "$(sed 's/^/    /' <<<"$errors")" >>"$GITHUB_STEP_SUMMARY"
fi
write_outputs >>"$GITHUB_OUTPUT"
