package mpi

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTwoMachines trains in two namespaces of the network: the launcher reaches them as it would by
// ssh, nothing goes through shared memory, and the bits are those of one process.
func TestTwoMachines(t *testing.T) {
	all := programs(t)
	agent := machines(t)
	want := alone(t, toySteps)
	for name, join := range map[string]func(*testing.T) string{"near": wire, "far": far} {
		t.Run(name, func(t *testing.T) { trainAcross(t, all, agent, join(t), want) })
	}
}

// trainAcross trains with each launcher; bytes are counted at the device.
func trainAcross(t *testing.T, all []string, agent, device string, want []byte) {
	for _, program := range all {
		t.Run(filepath.Base(program), func(t *testing.T) {
			folder, before := t.TempDir(), received(t, device)
			args := []string{"netns", "exec", "goclip-a", program, "-n", "2"}
			if strings.Contains(program, "openmpi") {
				args = append(args, "--mca", "plm_rsh_agent", agent, "--mca", "btl", "self,tcp", "--mca", "pml", "ob1", "--mca", "btl_tcp_if_include", "10.77.0.0/24",
					"--mca", "oob_tcp_if_include", "10.77.0.0/24", "--host", "10.77.0.1,10.77.0.2", "-x", roleVariable, "-x", folderVariable)
			} else {
				args = append(args, "-launcher", "ssh", "-launcher-exec", agent, "-hosts", "10.77.0.1,10.77.0.2", "-ppn", "1")
			}
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "ip", append(args, self)...)
			cmd.Cancel, cmd.WaitDelay = endAll, 10*time.Second
			cmd.Env = append(os.Environ(), roleVariable+"=train", folderVariable+"="+folder, "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
				"UCX_TLS=tcp,self", "MPIR_CVAR_NOLOCAL=1")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if got := last(t, filepath.Join(folder, "model"), toySteps); !bytes.Equal(got, want) {
				t.Error("the checkpoint differs from that of one process")
			}
			if n := received(t, device) - before; n < 1<<20 {
				t.Errorf("%d bytes went over the wire, want those of a training", n)
			}
		})
	}
}

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

var namespaces = []string{"goclip-a", "goclip-b"}

// processes are those in a namespace.
func processes(namespace string) []string {
	out, _ := exec.Command("ip", "netns", "pids", namespace).Output()
	return strings.Fields(string(out))
}

// endAll kills what runs on the machines: launchers that are killed leave their ranks.
func endAll() error {
	for _, name := range namespaces {
		for _, pid := range processes(name) {
			if n, err := strconv.Atoi(pid); err == nil {
				_ = syscall.Kill(n, syscall.SIGKILL)
			}
		}
	}
	return nil
}

// machines are the namespaces, goclip-a at 10.77.0.1 and goclip-b at 10.77.0.2 once a wire joins
// them; the agent is what a launcher takes for ssh. Where they may not be made the test is skipped.
func machines(t *testing.T) (agent string) {
	t.Helper()
	for _, name := range namespaces {
		if len(processes(name)) == 0 { // such as a test that was killed left
			_ = ip("netns", "del", name)
		}
		if err := ip("netns", "add", name); err != nil {
			t.Skipf("no namespaces of the network can be made here, so no two machines were tried: %v", err)
		}
		t.Cleanup(func() {
			_ = endAll()
			_ = ip("netns", "del", name)
		})
		if err := ip("-n", name, "link", "set", "lo", "up"); err != nil {
			t.Skipf("no network can be set up here, so no two machines were tried: %v", err)
		}
	}
	agent = filepath.Join(t.TempDir(), "agent")
	const script = `#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done
case $1 in 10.77.0.1) where=goclip-a ;; *) where=goclip-b ;; esac
shift
exec ip netns exec $where sh -c "$*"
`
	if err := os.WriteFile(agent, []byte(script), 0o777); err != nil {
		t.Fatal(err)
	}
	return agent
}

// wire joins the namespaces by a pair of devices of the kernel (veth).
func wire(t *testing.T) (device string) {
	t.Helper()
	t.Cleanup(func() {
		if ip("link", "del", "goclip-va") != nil { // it is where it was to go
			_ = ip("-n", "goclip-a", "link", "del", "goclip-va")
		}
	})
	err := ip("link", "add", "goclip-va", "type", "veth", "peer", "name", "goclip-vb")
	if err == nil {
		err = attach("goclip-va", "goclip-vb")
	}
	if err != nil {
		t.Skipf("no wire can be laid here, so no two machines were tried: %v", err)
	}
	return "goclip-va"
}

// attach gives each machine its device, with its address.
func attach(devices ...string) error {
	for i, device := range devices {
		name := namespaces[i]
		for _, args := range [][]string{
			{"link", "set", device, "netns", name},
			{"-n", name, "addr", "add", fmt.Sprintf("10.77.0.%d/24", i+1), "dev", device},
			{"-n", name, "link", "set", device, "up"},
		} {
			if err := ip(args...); err != nil {
				return err
			}
		}
	}
	return nil
}

// received are the bytes that came to the first machine.
func received(t *testing.T, device string) int {
	t.Helper()
	out, err := exec.Command("ip", "netns", "exec", "goclip-a", "cat", "/sys/class/net/"+device+"/statistics/rx_bytes").Output()
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
