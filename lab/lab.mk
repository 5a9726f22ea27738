# The lab: a real OpenStack on this machine. See doc/source/lab.rst.

LAB := $(if $(NOVA),LAB_NOVA=$(NOVA) )/usr/bin/python3 -m lab

.PHONY: lab lab-node lab-nodes lab-prometheus lab-check lab-stop lab-clean \
	lab-status lab-test lab-whitebox

lab:  ## install and start a real OpenStack on this machine (root)
	@$(LAB) up

lab-node: lab  ## a second compute node of it: two NUMA cells, SMT (QEMU)
	@$(LAB) node

lab-nodes: lab  ## the same twice: servers can move from one to the other
	@$(LAB) nodes

lab-prometheus: lab  ## Prometheus beside it, which scrapes our exporter
	@$(LAB) prometheus

lab-test: lab  ## walk through the lab with the real openstack client
	@$(LAB) test -- tests/lab $(ONLY)

lab-whitebox: lab  ## OpenStack's whitebox tests on it: stock Nova, then ours
	@$(LAB) whitebox $(PROFILES)

lab-check:  ## say what stands in the way of a lab on this machine
	@$(LAB) check

lab-status:  ## which of the lab's services run
	@$(LAB) status

lab-stop:  ## end every process of the lab
	@$(LAB) stop

lab-clean:  ## end the lab and remove all that it wrote
	@$(LAB) clean
