#!/usr/bin/python
"""In the place of Kolla-Ansible's module that asks a running cloud."""

from ansible.module_utils import basic


def main():
    module = basic.AnsibleModule(
        argument_spec={name: {"type": "raw"} for name in (
            "container_engine", "module_name", "module_args")},
        supports_check_mode=True)
    module.exit_json(changed=False, resources=[])


if __name__ == "__main__":
    main()
