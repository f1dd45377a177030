# Sourced: sees that there is a Chromium for the tests of the dashboard. Without one they skip.

if ! command -v chromium >/dev/null && [ "$(id -u)" = 0 ]; then
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y chromium >/dev/null || true
fi
command -v chromium >/dev/null || echo "no Chromium here: the tests of the dashboard in a browser skip" >&2
