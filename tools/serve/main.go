// Serve tries "goclip serve" from outside, as other programs use it:
//
//	serve model   DIR           writes a ViT-B/32 with random weights and CLIP's tokenizer
//	serve vectors MODEL FILE…   prints what the encoder makes of some texts, and of files
//	serve load    …             64 clients: throughput beside the model's own, and latencies
//	serve mixed   …             honest and hostile clients at once: no honest answer is wrong
//	serve weaviate …            a real Weaviate with its CLIP module pointed at us
//
// The last three start the command themselves; see their -help. What they measure they print,
// and they fail where it is not as it has to be.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/vision"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("serve: ")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) < 2 {
		return errors.New("want model, vectors, load, mixed or weaviate, with arguments")
	}
	switch what, args := args[0], args[1:]; what {
	case "model":
		return writeModel(args[0])
	case "vectors":
		return printVectors(ctx, args[0], args[1:])
	case "load":
		return load(ctx, args)
	case "mixed":
		return mixed(ctx, args)
	case "weaviate":
		return weaviate(ctx, args)
	default:
		return fmt.Errorf("no %s", what)
	}
}

// writeModel writes a model of a usual size. What it says does not matter here.
func writeModel(dir string) error {
	fixtures := os.Getenv("GOCLIP_FIXTURES")
	if fixtures == "" {
		return errors.New("GOCLIP_FIXTURES is not set: it has the tokenizer")
	}
	tok, err := tokenizer.LoadCLIP(os.DirFS(filepath.Join(fixtures, "tokenizer")), tokenizer.BPEOptions{})
	if err != nil {
		return err
	}
	cfg, ok := encoder.ConfigByName("ViT-B-32")
	if !ok {
		return errors.New("no configuration ViT-B-32")
	}
	m, err := encoder.New(cfg, tok, 1)
	if err != nil {
		return err
	}
	return m.Save(dir)
}

// texts are what the clients of .ci/run serve ask for, too.
func texts() []string {
	return []string{"a red circle on a white background", "two cats", "a photo of naïve déjà vu 🐈", "x"}
}

func printVectors(ctx context.Context, model string, files []string) error {
	upright := true // as an index of goclip's is, and so a server with one
	m, err := encoder.Load(model, &encoder.Options{Upright: &upright})
	if err != nil {
		return err
	}
	defer m.Close()
	out := map[string][]float32{}
	e, err := m.EncodeTexts(ctx, texts()...)
	if err != nil {
		return err
	}
	for i, t := range texts() {
		out[t] = e.Row(i)
	}
	for _, f := range files {
		img, err := vision.DecodeFile(f, nil)
		if err != nil {
			return err
		}
		if e, err = m.EncodeImages(ctx, img); err != nil {
			return err
		}
		out[f] = e.Row(0)
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

// server is a goclip that serves.
type server struct {
	base string
	cmd  *exec.Cmd
	gone chan error
}

// start runs "goclip serve" on a port of its own.
func start(ctx context.Context, goclip string, args ...string) (*server, error) {
	s := &server{gone: make(chan error, 1)}
	s.cmd = exec.CommandContext(ctx, goclip, append([]string{"serve", "--listen", "127.0.0.1:0", "--log-level", "info"}, args...)...)
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(os.Interrupt) }
	s.cmd.WaitDelay = time.Minute
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	address := regexp.MustCompile(`http://[0-9.:]+`)
	found, last := make(chan string, 1), make(chan []byte, 1)
	go func() {
		var line []byte
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			line = bytes.Clone(lines.Bytes())
			if bytes.Contains(line, []byte(`"listening"`)) {
				found <- string(address.Find(line))
			}
			if bytes.Contains(line, []byte(`"level":"ERROR"`)) {
				fmt.Fprintf(os.Stderr, "%s\n", line)
			}
		}
		last <- line
		s.gone <- s.cmd.Wait()
	}()
	select {
	case s.base = <-found:
		return s, nil
	case line := <-last:
		return nil, fmt.Errorf("%s serve: %s", goclip, line)
	}
}

// stop ends the server, which has to end well.
func (s *server) stop() error {
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	if err := <-s.gone; err != nil {
		return fmt.Errorf("goclip serve ended with %w", err)
	}
	return nil
}
