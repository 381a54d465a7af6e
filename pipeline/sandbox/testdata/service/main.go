// Command service is what the tests start in a sandbox; its argument says what
// it does.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	switch os.Args[1] {
	case "exit":
		os.Exit(7)
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("deaf")
		time.Sleep(time.Hour)
	case "hungry":
		var all [][]byte
		for {
			all = append(all, bytes.Repeat([]byte{1}, 1<<20))
		}
	case "write":
		fmt.Println(os.WriteFile("/home/me/there", nil, 0o600), os.WriteFile("/tmp/there", nil, 0o600))
		time.Sleep(time.Hour)
	case "tell":
		json.NewEncoder(os.Stdout).Encode(look())
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		go http.ListenAndServe(":80", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RemoteAddr) }))
		go http.ListenAndServe("127.0.0.1:81", nil)
		<-stop
	}
}

// A view is what a service sees of its sandbox.
type view struct {
	UID, GID, PID int
	Groups        []int
	Status        map[string]string
	Env           []string
	Dir, Host     string
	Root          []string
	Writes        map[string]string
}

func look() view {
	v := view{UID: os.Getuid(), GID: os.Getgid(), PID: os.Getpid(), Env: os.Environ(), Status: map[string]string{}, Writes: map[string]string{}}
	v.Groups, _ = os.Getgroups()
	v.Dir, _ = os.Getwd()
	v.Host, _ = os.Hostname()
	raw, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(raw)) {
		key, value, _ := strings.Cut(line, ":")
		if strings.HasPrefix(key, "Cap") || key == "NoNewPrivs" {
			v.Status[key] = strings.TrimSpace(value)
		}
	}
	list, _ := os.ReadDir("/")
	for _, e := range list {
		v.Root = append(v.Root, e.Name())
	}
	for _, dir := range []string{"/", "/home/me", "/dev", "/tmp"} {
		v.Writes[dir] = "may"
		if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o600); err != nil {
			v.Writes[dir] = errors.Unwrap(err).Error()
		}
	}
	return v
}
