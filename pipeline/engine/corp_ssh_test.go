package engine

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// serveSSH lets who has the key of c.agent read the repositories.
func (c *corp) serveSSH(t *testing.T) {
	t.Helper()
	var key ssh.PublicKey
	c.agent, key = newAgent(t)
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	own, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{PublicKeyCallback: func(m ssh.ConnMetadata, given ssh.PublicKey) (*ssh.Permissions, error) {
		if m.User() != "git" || string(given.Marshal()) != string(key.Marshal()) {
			return nil, errors.New("not a key of ours")
		}
		return nil, nil
	}}
	config.AddHostKey(own)
	c.ssh = listen(t)
	go accept(c.ssh, func(conn net.Conn) {
		_, channels, requests, err := ssh.NewServerConn(conn, config)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		for channel := range channels {
			if channel.ChannelType() != "session" {
				channel.Reject(ssh.UnknownChannelType, "there are sessions only")
				continue
			}
			if session, requests, err := channel.Accept(); err == nil {
				go c.session(session, requests)
			}
		}
	})
}

// newAgent is the socket of an agent and the key that it has.
func newAgent(t *testing.T) (socket string, key ssh.PublicKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := agent.NewKeyring()
	if err := keys.Add(agent.AddedKey{PrivateKey: private}); err != nil {
		t.Fatal(err)
	}
	if key, err = ssh.NewPublicKey(public); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "agent") // that of a test can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket = filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go accept(l, func(conn net.Conn) { agent.ServeAgent(keys, conn) })
	return socket, key
}

// accept serves each connection on its own until the listener is closed.
func accept(l net.Listener, serve func(net.Conn)) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			serve(conn)
		}()
	}
}

var uploadPack = regexp.MustCompile(`^git-upload-pack '(/[a-z/]+)'$`)

// session answers the one command that there is.
func (c *corp) session(session ssh.Channel, requests <-chan *ssh.Request) {
	defer session.Close()
	for r := range requests {
		var command struct{ Line string }
		if r.Type != "exec" || ssh.Unmarshal(r.Payload, &command) != nil {
			r.Reply(false, nil)
			continue
		}
		r.Reply(true, nil)
		var status struct{ Code uint32 }
		m := uploadPack.FindStringSubmatch(command.Line)
		if m == nil {
			io.WriteString(session.Stderr(), "there is no such command\n")
			status.Code = 1
		} else {
			cmd := exec.Command("git", "upload-pack", filepath.Join(c.repos, m[1]))
			cmd.Stdin, cmd.Stdout, cmd.Stderr = session, session, session.Stderr()
			if cmd.Run() != nil {
				status.Code = 1
			}
			c.cloned.Add(1)
		}
		session.SendRequest("exit-status", false, ssh.Marshal(status))
		return
	}
}
