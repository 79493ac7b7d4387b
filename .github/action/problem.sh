# What the scripts of action.yml share; bash 3.2 of macOS and Git Bash run it too.

# problem MESSAGE: an error that GitHub shows beside the step.
problem() {
  local text=${1//'%'/%25}
  text=${text//$'\r'/%0D}
  printf '::error title=kplan::%s\n' "${text//$'\n'/%0A}"
}
