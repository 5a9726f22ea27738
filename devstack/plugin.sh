# shellcheck shell=bash disable=SC2154
# DevStack's plugin: the filter, the weigher and the driver from the first
# start on. DevStack sources it with a mode and a phase, and defines what is
# called and read here. Settings: devstack/settings.

function install_pinning_filter {
    setup_develop "$PINNING_FILTER_DIR"
}

# DevStack's list of filters, with ours in the place of Nova's.
function pinning_filter_enabled_filters {
    local filters
    filters=,$(iniget "$NOVA_CONF" filter_scheduler enabled_filters),
    filters=${filters// /}
    filters=${filters//,PinningFilter,/,}
    if [[ $filters == *,NUMATopologyFilter,* ]]; then
        filters=${filters/,NUMATopologyFilter,/,PinningFilter,}
    else
        filters=${filters}PinningFilter,
    fi
    filters=${filters#,}
    echo "${filters%,}"
}

function configure_pinning_scheduler {
    local classes
    iniset_multiline "$NOVA_CONF" filter_scheduler available_filters \
        nova.scheduler.filters.all_filters \
        pinning_filter.scheduler.filter.PinningFilter
    iniset "$NOVA_CONF" filter_scheduler enabled_filters \
        "$(pinning_filter_enabled_filters)"
    if [[ $PINNING_FILTER_WEIGHER == True ]]; then
        # A list in one line, unlike the filters.
        classes=nova.scheduler.weights.all_weighers
        classes+=,pinning_filter.scheduler.weigher.PinningWeigher
        iniset "$NOVA_CONF" filter_scheduler weight_classes "$classes"
    fi
}

# stack.sh copies nova.conf to nova-cpu.conf after this phase, and then starts
# nova-compute by a name that it has no variable for: so its function gets
# the launcher's name instead.
function configure_pinning_compute {
    local stock
    iniset "$NOVA_CONF" DEFAULT compute_driver pinning.PinningLibvirtDriver
    stock=$(declare -f start_nova_compute)
    stock=${stock//\/nova-compute-pinning /\/nova-compute }
    if [[ $stock != */nova-compute\ * ]]; then
        die $LINENO "start_nova_compute does not run nova-compute"
    fi
    eval "${stock//\/nova-compute /\/nova-compute-pinning }"
}

if [[ $1 == stack && $2 == install ]]; then
    if is_service_enabled n-sch n-cpu; then
        echo_summary "Installing pinning_filter"
        install_pinning_filter
    fi
elif [[ $1 == stack && $2 == post-config ]]; then
    if is_service_enabled n-sch; then
        echo_summary "Configuring PinningFilter"
        configure_pinning_scheduler
    fi
    if is_service_enabled n-cpu && [[ $VIRT_DRIVER == libvirt ]] \
            && [[ $PINNING_FILTER_DRIVER == True ]]; then
        echo_summary "Configuring PinningLibvirtDriver"
        configure_pinning_compute
    fi
fi
