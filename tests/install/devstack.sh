# What DevStack defines before it sources a plugin, as far as ours uses it.
# With DEVSTACK set to a clone of DevStack, its own functions instead.
# shellcheck shell=bash disable=SC1091,SC2034

NOVA_BIN_DIR=/opt/stack/data/venv/bin
LIBVIRT_GROUP=libvirt
TOP_DIR=$PWD
NOVA_CPU_CONF=$PWD/nova-cpu.conf
VIRT_DRIVER=${VIRT_DRIVER:-libvirt}

if [[ $DEVSTACK ]]; then
    source "$DEVSTACK/inc/ini-config"
    # Of lib/nova its one function: the rest wants a whole DevStack.
    eval "$(sed -n '/^function start_nova_compute /,/^}/p' "$DEVSTACK/lib/nova")"
else
    function iniget {
        python3 "$INI" get "$@"
    }
    function iniset {
        python3 "$INI" set "$@"
    }
    function iniset_multiline {
        python3 "$INI" set "$@"
    }
    function start_nova_compute {
        cp "$NOVA_CONF" "$NOVA_CPU_CONF"
        run_process n-cpu "$NOVA_BIN_DIR/nova-compute --config-file $NOVA_CPU_CONF" "$LIBVIRT_GROUP"
    }
fi

# Beside what start_nova_compute calls, and this test does not look at.
function merge_config_file { :; }
function iniset_rpc_backend { :; }
function inidelete { :; }
function configure_console_compute { :; }
function echo_summary { :; }
function define_plugin { :; }
CELLSV2_SETUP=singleconductor
NOVA_LIBVIRT_TB_CACHE_SIZE=0

function trueorfalse {
    local value=${!2:-$1}
    if [[ $value == True ]]; then echo True; else echo False; fi
}
function is_service_enabled {
    local service
    for service in "$@"; do
        if [[ ,$ENABLED_SERVICES, == *,$service,* ]]; then return 0; fi
    done
    return 1
}
function setup_develop {
    echo "setup_develop $*" >> "$PWD/calls"
}
function run_process {
    echo "run_process $*" >> "$PWD/calls"
}
function die {
    echo "died: ${*:2}" >&2
    exit 1
}
