package images

import (
	"archive/tar"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"temper/checks"
)

var capabilities = &checks.Check[*Image]{
	Rule: checks.Rule{
		Name:     "capabilities",
		Severity: checks.Error,
		Source:   "https://man7.org/linux/man-pages/man7/capabilities.7.html",
		Doc: `no file in any layer has capabilities

A file capability is a piece of root that whoever starts the file gets, without
a setuid bit that anyone would look for: cap_net_raw listens to the network,
cap_sys_ptrace reads other processes, cap_setuid is root.

Remove it (setcap -r) or the file. A service that needs a port below 1024
listens on one above it, behind a Kubernetes service that maps the port.`,
	},
	Run: func(img *Image, p *checks.Pass) error {
		for i := range img.Entries {
			if e := &img.Entries[i]; e.caps != "" {
				p.Reportf(e.Place(), "it has %s", capNames(e.caps))
			}
		}
		return nil
	},
}

// capsOf returns the attribute as tar, Docker and containerd write it, or as
// libarchive does: in base 64.
// https://man.freebsd.org/cgi/man.cgi?query=tar&sektion=5#Pax_Interchange_Format
func capsOf(h *tar.Header) (string, error) {
	if raw, ok := h.PAXRecords["SCHILY.xattr.security.capability"]; ok {
		return present(raw), nil
	}
	if encoded, ok := h.PAXRecords["LIBARCHIVE.xattr.security.capability"]; ok {
		raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(encoded, "="))
		if err != nil {
			return "", fmt.Errorf("reading LIBARCHIVE.xattr.security.capability: %w", err)
		}
		return present(string(raw)), nil
	}
	return "", nil
}

// present tells an empty attribute from none.
func present(raw string) string {
	if raw == "" {
		return "\x00"
	}
	return raw
}

// capNames reads a struct vfs_cap_data.
// https://github.com/torvalds/linux/blob/v6.12/include/uapi/linux/capability.h#L74
func capNames(raw string) string {
	b := []byte(raw)
	var sets uint64 // permitted or inheritable
	switch {
	case len(b) == 12 && b[3] == 1:
		sets = uint64(binary.LittleEndian.Uint32(b[4:]) | binary.LittleEndian.Uint32(b[8:]))
	case len(b) == 20 && b[3] == 2, len(b) == 24 && b[3] == 3:
		low := binary.LittleEndian.Uint32(b[4:]) | binary.LittleEndian.Uint32(b[8:])
		high := binary.LittleEndian.Uint32(b[12:]) | binary.LittleEndian.Uint32(b[16:])
		sets = uint64(high)<<32 | uint64(low)
	default:
		return "capabilities in a form that nobody knows"
	}
	var names []string
	for bit := range 64 {
		switch {
		case sets>>bit&1 == 0:
		case bit < len(capabilityNames):
			names = append(names, "cap_"+capabilityNames[bit])
		default:
			names = append(names, fmt.Sprintf("capability %d", bit))
		}
	}
	if len(names) == 0 {
		return "an empty set of capabilities"
	}
	return strings.Join(names, ", ")
}

// In the order of their numbers.
var capabilityNames = strings.Fields(`chown dac_override dac_read_search fowner fsetid kill setgid
	setuid setpcap linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock
	ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice
	sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap
	mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf
	checkpoint_restore`)
