package sandbox

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Ports are the TCP ports that something in the sandbox listens on and that can
// be reached from outside of it, sorted.
func (p *Process) Ports() ([]int, error) {
	var ports []int
	for _, table := range []string{"tcp", "tcp6"} {
		list, err := listening(fmt.Sprintf("/proc/%d/net/%s", p.cmd.Process.Pid, table))
		if os.IsNotExist(err) && table == "tcp6" { // a kernel without IPv6
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading open ports: %w", err)
		}
		ports = append(ports, list...)
	}
	slices.Sort(ports)
	return slices.Compact(ports), nil
}

// listening reads a table of sockets.
// https://docs.kernel.org/networking/proc_net_tcp.html
func listening(file string) ([]int, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var ports []int
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || fields[3] != "0A" {
			continue
		}
		addr, port, _ := strings.Cut(fields[1], ":")
		n, err := strconv.ParseUint(port, 16, 16)
		if err != nil {
			return nil, fmt.Errorf("%q is no socket", lines.Text())
		}
		if !loopback(addr) {
			ports = append(ports, int(n))
		}
	}
	return ports, lines.Err()
}

// loopback tells an address that nobody outside reaches. The kernel writes the
// words of an address in the machine's own order of bytes, which is little
// endian wherever Go services are deployed.
func loopback(addr string) bool {
	raw, err := hex.DecodeString(addr)
	if err != nil {
		return false
	}
	if len(raw) == 4 {
		return raw[3] == 127
	}
	return addr == "00000000000000000000000001000000"
}
