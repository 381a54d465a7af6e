package probes

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"

	"temper/checks"
)

var reflection = &checks.Check[*Running]{
	Rule: checks.Rule{
		Name:     "probe-reflection",
		Severity: checks.Warning,
		Source:   "https://grpc.io/docs/guides/reflection/",
		Doc: `a gRPC server does not tell strangers which methods it has

Reflection is a list of everything that can be tried, messages included.

Register it in a build for developers, or behind a flag that is off.`,
	},
	Run: func(r *Running, p *checks.Pass) error {
		if r.Reflected {
			p.Reportf("grpc", "it serves reflection")
		}
		return nil
	},
}

// https://grpc.io/docs/guides/status-codes/
const grpcOK, grpcCanceled, grpcUnavailable = "0", "1", "14"

// prefix is what stands before a message: not compressed, and its length.
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
func prefix(length int) []byte {
	return binary.BigEndian.AppendUint32([]byte{0}, uint32(length))
}

// call calls a method over HTTP/2 without TLS, and returns gRPC's status and the
// first message; the status is empty where there was no answer.
func (a *asker) call(ctx context.Context, method string, sent io.Reader) (status string, message []byte) {
	transport := a.transport(ctx)
	defer transport.CloseIdleConnections()
	return a.over(ctx, transport, method, sent)
}

func (a *asker) transport(ctx context.Context) *http.Transport {
	t := &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return a.connect(ctx, a.Port) },
		Protocols:   new(http.Protocols),
	}
	t.Protocols.SetUnencryptedHTTP2(true)
	return t
}

func (a *asker) over(ctx context.Context, t *http.Transport, method string, sent io.Reader) (status string, message []byte) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+a.Host+method, sent)
	if err != nil {
		return "", nil
	}
	req.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}}
	resp, err := t.RoundTrip(req)
	if err != nil {
		return "", nil
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return "", nil
	}
	if status = resp.Trailer.Get("Grpc-Status"); status == "" {
		status = resp.Header.Get("Grpc-Status") // an answer of trailers alone
	}
	if len(raw) > 5 {
		message = raw[5:]
	}
	return status, message
}

// HealthCheck is the gRPC method that tells of health.
// https://github.com/grpc/grpc/blob/master/doc/health-checking.md
const HealthCheck = "/grpc.health.v1.Health/Check"

// serving asks for the health of a service: status 200 if it is SERVING.
func (a *asker) serving(ctx context.Context, service string) Answer {
	answer := Answer{Asked: HealthCheck + " of " + service}
	if service == "" {
		answer.Asked = HealthCheck
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	// HealthCheckRequest{service = 1}, HealthCheckResponse{status = 1}, SERVING = 1
	var request []byte
	if service != "" {
		request = append(binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(service))), service...)
	}
	status, message := a.call(ctx, HealthCheck, bytes.NewReader(append(prefix(len(request)), request...)))
	switch {
	case status == "":
	case status == grpcOK && bytes.Equal(message, []byte{1 << 3, 1}):
		answer.Status = http.StatusOK
	default:
		answer.Status = http.StatusServiceUnavailable
	}
	return answer
}

// reflects tells whether reflection is served.
func (a *asker) reflects(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	list := []byte{7<<3 | 2, 0} // ServerReflectionRequest{list_services = 7}
	for _, version := range []string{"v1", "v1alpha"} {
		method := "/grpc.reflection." + version + ".ServerReflection/ServerReflectionInfo"
		if status, _ := a.call(ctx, method, bytes.NewReader(append(prefix(len(list)), list...))); status == grpcOK {
			return true
		}
	}
	return false
}

// calls calls each method with an empty message, again and again.
func (a *asker) calls(ctx context.Context) {
	t := a.transport(ctx)
	defer t.CloseIdleConnections()
	for ctx.Err() == nil {
		for _, method := range a.Paths {
			a.over(ctx, t, method, bytes.NewReader(prefix(0)))
		}
	}
}

// beginCall begins a call whose message is not whole yet.
func (a *asker) beginCall(ctx context.Context, method string) *pending {
	body, rest := io.Pipe()
	p := &pending{answered: make(chan bool, 1), finish: func() {
		rest.Write(prefix(0)[4:])
		rest.Close()
	}}
	go func() {
		status, _ := a.call(ctx, method, body)
		body.Close()
		p.answered <- status != "" && status != grpcCanceled && status != grpcUnavailable
	}()
	if _, err := rest.Write(prefix(0)[:4]); err != nil {
		return nil
	}
	return p
}
