package mpi

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// latency and loss are those of the wire between machines that are far apart: packets take so
// long one way, and one in so many does not arrive.
const latency, oneLostOf = 5 * time.Millisecond, 200

// far joins the namespaces by two devices (TUN) between which this process carries packets,
// since not every kernel has netem.
func far(t *testing.T) (device string) {
	t.Helper()
	var ends [2]*os.File
	for i, name := range []string{"goclip-ta", "goclip-tb"} {
		end, err := tun(name)
		if err != nil {
			t.Skipf("no packets can be carried here, so no two machines far apart were tried: %v", err)
		}
		t.Cleanup(func() { end.Close() })
		ends[i] = end
	}
	if err := attach("goclip-ta", "goclip-tb"); err != nil {
		t.Fatal(err)
	}
	var lost atomic.Int64
	t.Cleanup(func() {
		if lost.Load() == 0 {
			t.Error("no packet was lost")
		}
	})
	go carry(ends[1], ends[0], rand.New(rand.NewPCG(1, 0)), &lost)
	go carry(ends[0], ends[1], rand.New(rand.NewPCG(2, 0)), &lost)
	return "goclip-ta"
}

// tun makes a device whose packets the file has. It stays where the device is moved.
func tun(name string) (*os.File, error) {
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	request := struct {
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}{flags: syscall.IFF_TUN | syscall.IFF_NO_PI}
	copy(request.name[:], name)
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TUNSETIFF, uintptr(unsafe.Pointer(&request))); errno != 0 {
		syscall.Close(fd)
		return nil, fmt.Errorf("/dev/net/tun: device %s: %w", name, errno)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// carry takes packets from one end to the other until one is closed.
func carry(to, from *os.File, luck *rand.Rand, lost *atomic.Int64) {
	type packet struct {
		data []byte
		due  time.Time
	}
	way := make(chan packet, 1<<14)
	go func() {
		for p := range way {
			time.Sleep(time.Until(p.due))
			_, _ = to.Write(p.data) // what a device that is going down refuses is lost, too
		}
	}()
	defer close(way)
	b := make([]byte, 1<<16)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		if luck.IntN(oneLostOf) == 0 {
			lost.Add(1)
			continue
		}
		way <- packet{slices.Clone(b[:n]), time.Now().Add(latency)}
	}
}
