package parts

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 10 * time.Second
	pollEvery    = 20 * time.Millisecond
	startTries   = 3
)

// process is a program that runs beside the test.
type process struct {
	name string
	cmd  *exec.Cmd
	out  *tail
	done chan struct{} // closed when the program has ended
	err  error         // how it ended; read only after done
}

// startProcess starts cmd. The caller stops it.
func startProcess(name string, cmd *exec.Cmd) (*process, error) {
	p := &process{name: name, cmd: cmd, out: &tail{}, done: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = p.out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = p.out
	}
	cmd.WaitDelay = stopTimeout
	dieWithParent(cmd)
	started := make(chan error)
	go func() {
		// Linux ties "die with the parent" to the thread that started the
		// program, so that thread stays with it until it has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// stop asks the program to end and kills it when it does not within the limit.
func (p *process) stop() {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err == nil {
		select {
		case <-p.done:
			return
		case <-time.After(stopTimeout):
		}
	}
	_ = p.cmd.Process.Kill() // it may have ended meanwhile
	<-p.done
}

// waitReady polls ready until it returns nil. It gives up when the program
// ends or the limit is over, and then says what the program printed.
func (p *process) waitReady(ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended before it answered: %w; it printed:\n%s", p.name, errors.Join(p.err, err), p.out)
		case <-ctx.Done():
			return fmt.Errorf("%s did not answer within %s: %w; it printed:\n%s", p.name, startTimeout, err, p.out)
		case <-tick.C:
		}
	}
}

// server describes a program that listens on ports it must be told.
type server struct {
	name  string
	ports int
	// command returns the program to run with these ports.
	command func(ports []int) (*exec.Cmd, error)
	// ready returns nil as soon as the program serves on these ports.
	ready func(ctx context.Context, ports []int) error
}

// start runs the server on free ports and stops it when the test ends.
func (s server) start(t testing.TB) (*process, []int) {
	t.Helper()
	var failures []error
	for range startTries {
		ports, err := freePorts(s.ports)
		if err != nil {
			t.Fatalf("find a free port for %s: %v", s.name, err)
		}
		p, err := s.startOn(ports)
		if err == nil {
			t.Cleanup(p.stop)
			return p, ports
		}
		failures = append(failures, err)
	}
	t.Fatalf("%s did not start in %d tries: %v", s.name, startTries, errors.Join(failures...))
	return nil, nil
}

// startOn runs the server on the given ports. The caller stops it.
func (s server) startOn(ports []int) (*process, error) {
	cmd, err := s.command(ports)
	if err != nil {
		return nil, err
	}
	p, err := startProcess(s.name, cmd)
	if err != nil {
		return nil, err
	}
	err = p.waitReady(func(ctx context.Context) error { return s.ready(ctx, ports) })
	if err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// freePorts returns n different loopback ports that nobody listens on now.
func freePorts(n int) ([]int, error) {
	var listeners []net.Listener
	defer func() {
		for _, ln := range listeners { // all at the end, so that no port comes twice
			ln.Close()
		}
	}()
	ports := make([]int, 0, n)
	for range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		listeners = append(listeners, ln)
		ports = append(ports, ln.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// dialTCP reports whether somebody accepts connections on the loopback port.
func dialTCP(ctx context.Context, port int) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", loopback(port))
	if err != nil {
		return err
	}
	return conn.Close()
}

func loopback(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// tail keeps the last output of a program for error messages.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailSize = 16 << 10

// Write keeps the end of what was written so far.
func (o *tail) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = append(o.buf, b...)
	if over := len(o.buf) - tailSize; over > 0 {
		o.buf = append(o.buf[:0], o.buf[over:]...)
	}
	return len(b), nil
}

// String returns what is kept.
func (o *tail) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.buf)
}
