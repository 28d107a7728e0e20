#!/usr/bin/env bash
# peer.sh start DIR | stop DIR | pid DIR | ctl DIR WORDS...: Debian's RabbitMQ as the broker to compare with.
#
# `start` runs a private instance from Debian's package on loopback only, with all of its state below DIR, waits until
# its stream listener answers and prints the pid of the Erlang VM (whose CPU time bench/compare reads). `stop` ends
# that process and its epmd by pid. Ports come from the environment: SLUICE_PEER_PORT (stream, 15553) and the
# four after it (AMQP, distribution, epmd, command line tools); SLUICE_PEER_PLUGINS names more of its plugins, with commas.
# `ctl` is its rabbitmqctl.
# Needs: apt-get install --no-install-recommends rabbitmq-server (3.10.8 in Debian 12).
set -euo pipefail
command=${1:-}; dir=${2:-}
[[ $command =~ ^(start|stop|pid|ctl)$ && -n $dir ]] || { sed -n 2,9p "$0" >&2; exit 2; }
port=${SLUICE_PEER_PORT:-15553}
home=$(echo /usr/lib/rabbitmq/lib/rabbitmq_server-*)
[ -x "$home/sbin/rabbitmq-server" ] || { echo "peer.sh: rabbitmq-server is not installed" >&2; exit 1; }

alive() { [ -n "${1:-}" ] && kill -0 "$1" 2>/dev/null; }
listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

start() {
  mkdir -p "$dir"; dir=$(cd "$dir" && pwd)
  if alive "$(cat "$dir/pid" 2>/dev/null || true)"; then echo "peer.sh: already running in $dir" >&2; exit 1; fi
  if listening "$port"; then echo "peer.sh: port $port is taken" >&2; exit 1; fi
  rm -f "$dir/pid"
  printf '%s\n' "stream.listeners.tcp.1 = 127.0.0.1:$port" "stream.advertised_host = 127.0.0.1" \
    "stream.advertised_port = $port" "listeners.tcp.1 = 127.0.0.1:$((port + 1))" \
    "disk_free_limit.absolute = 1GB" "log.console = false" "log.file.level = warning" >"$dir/rabbitmq.conf"
  echo "[rabbitmq_stream${SLUICE_PEER_PLUGINS:+,$SLUICE_PEER_PLUGINS}]." >"$dir/enabled_plugins"
  export HOME=$dir RABBITMQ_NODENAME="sluicepeer$port@localhost" RABBITMQ_NODE_PORT=$((port + 1))
  export RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_DIST_PORT=$((port + 2)) RABBITMQ_CONFIG_FILE="$dir/rabbitmq.conf"
  export RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_ADVANCED_CONFIG_FILE="$dir/none" RABBITMQ_MNESIA_BASE="$dir/data"
  export RABBITMQ_LOG_BASE="$dir/log" RABBITMQ_ENABLED_PLUGINS_FILE="$dir/enabled_plugins" RABBITMQ_PID_FILE="$dir/pid"
  export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}"
  export ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT=$((port + 3)) LC_ALL=C.UTF-8
  epmd=$(echo /usr/lib/erlang/erts-*/bin/epmd)
  nohup setsid "$epmd" -address 127.0.0.1 -port "$ERL_EPMD_PORT" </dev/null >"$dir/epmd.out" 2>&1 &
  echo $! >"$dir/epmd.pid"
  nohup setsid "$home/sbin/rabbitmq-server" </dev/null >"$dir/server.out" 2>&1 &
  local starter=$!
  for ((i = 0; i < 600; ++i)); do
    if listening "$port"; then echo "$(cat "$dir/pid")"; return; fi
    alive "$starter" || { echo "peer.sh: did not start, see $dir/server.out and $dir/log" >&2; stop; exit 1; }
    sleep 0.1
  done
  echo "peer.sh: not ready after 60 s" >&2; stop; exit 1
}

end() {  # end FILE: the process whose pid FILE holds: asked, awaited, then killed
  local pid; pid=$(cat "$1" 2>/dev/null || true)
  alive "$pid" || { rm -f "$1"; return 0; }
  kill "$pid" 2>/dev/null || true
  for ((i = 0; i < 200; ++i)); do alive "$pid" || break; sleep 0.1; done
  if alive "$pid"; then kill -9 "$pid" 2>/dev/null || true; fi
  rm -f "$1"
}
stop() { end "$dir/pid"; end "$dir/epmd.pid"; }

case $command in
  start) start ;;
  stop) stop ;;
  pid) echo "$(cat "$dir/pid")" ;;
  ctl) HOME=$(cd "$dir" && pwd) ERL_EPMD_PORT=$((port + 3)) LC_ALL=C.UTF-8 \
    "$home/sbin/rabbitmqctl" --quiet -n "sluicepeer$port@localhost" "${@:3}" ;;
esac
