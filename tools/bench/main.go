// Bench times goclip beside PyTorch, ONNX Runtime, OpenVINO and others. All processes of a
// section are alive and one at a time runs, in turns, so that they see the same minutes
// of the same machine; what they compute is compared first. It prints tables in Markdown.
//
//	go run ./tools/bench -folder DIR -python FILE -peers DIR -worker FILE -goclip FILE [-only REGEX] [-isa avx2]
//	go run ./tools/bench -quality DIR
//	go run ./tools/bench -models [-names A,B]
//
// The first form is what "make bench-peers" calls, which installs what it needs: rows such as
// ViT-B-32/image/8, chosen by -only. The others are of goclip alone: how near a trained model
// stays with other weights, for docs/int8.md, and the speeds of configurations, for tools/models.
package main

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

//go:embed peers/*.py
var scripts embed.FS

// options are where things are and how often they are done.
type options struct {
	folder         string // of models and inputs, which are written where there are none
	python         string // with PyTorch and open_clip
	peers, simd    string // folders of the other peers' packages, and of Pillow-SIMD's
	blas           string // folder of MKL and BLIS
	worker, goclip string // our side, and the command
	captions       string // folder of captions and vocabularies
	isa            string // an instruction set that all are held to; "" is the best
	seconds        float64
	rounds         int
	only           *regexp.Regexp
	scripts        string // folder of our scripts for the peers, while this runs
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	var o options
	flag.StringVar(&o.folder, "folder", "", "folder of models and inputs, which are written where there are none: 10 GB")
	flag.StringVar(&o.python, "python", "", "Python with PyTorch and open_clip")
	flag.StringVar(&o.peers, "peers", "", "folder with the packages of peers.txt")
	flag.StringVar(&o.simd, "simd", "", "folder with Pillow-SIMD's; empty leaves it out")
	flag.StringVar(&o.blas, "blas", "", "folder of MKL and BLIS, lib/…; what is not there is left out")
	flag.StringVar(&o.worker, "worker", "", "tools/bench/worker, compiled")
	flag.StringVar(&o.goclip, "goclip", "", "the command, compiled")
	flag.StringVar(&o.captions, "captions", "", "folder with captions-10k.txt and NAME/tokenizer.json, for tokenizers")
	flag.StringVar(&o.isa, "isa", "", "avx2: hold all to it that can be held")
	flag.IntVar(&o.rounds, "rounds", 4, "how often each process has its turn")
	flag.Float64Var(&o.seconds, "seconds", 0.3, "how long a turn is, at least one run")
	only := flag.String("only", "", "regular expression of rows, SECTION/CASE; the usual ones where empty")
	list := flag.Bool("list", false, "print the names of all rows")
	trained := flag.String("quality", "", "folder of a model of examples/train: how near it stays with other weights")
	models := flag.Bool("models", false, "time published configurations with random weights, ours alone, on one core")
	names := flag.String("names", "", "configurations for -models; empty for a list of its own")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch o.only, err = regexp.Compile(*only); {
	case err != nil:
		log.Fatalf("-only: %v", err)
	case *models:
		err = o.models(ctx, os.Stdout, cmp.Or(*names, popular))
	case *trained != "":
		err = quality(ctx, os.Stdout, *trained)
	case *list:
		for _, s := range sections() {
			for _, r := range s.rows {
				fmt.Println(s.name + "/" + r.name)
			}
		}
		fmt.Println("once/cold\nonce/folder")
	case o.folder == "" || o.python == "" || o.peers == "" || o.worker == "" || o.goclip == "" || flag.NArg() > 0 || o.rounds < 1 || o.isa != "" && o.isa != "avx2":
		flag.Usage()
		os.Exit(2)
	default:
		err = o.beside(ctx, os.Stdout)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// beside runs the rows. A section that fails is told of at the end, and the others go on.
func (o *options) beside(ctx context.Context, w io.Writer) (err error) {
	for _, p := range []*string{&o.folder, &o.worker, &o.goclip} {
		if *p, err = filepath.Abs(*p); err != nil {
			return err
		}
	}
	if o.scripts, err = os.MkdirTemp("", "bench"); err != nil {
		return err
	}
	defer os.RemoveAll(o.scripts)
	inside, err := fs.Sub(scripts, "peers")
	if err != nil {
		return err
	}
	if err := os.CopyFS(o.scripts, inside); err != nil {
		return err
	}
	set := cmp.Or(o.isa, "the best set of each")
	fmt.Fprintf(w, "%s/%s, %s, %s, %d threads each, %d rounds, %s\n", runtime.GOOS, runtime.GOARCH, set, runtime.Version(), runtime.GOMAXPROCS(0), o.rounds, time.Now().Format(time.DateOnly))
	began := time.Now()
	for _, s := range sections() {
		if s.name == "tokenizers" && o.captions == "" {
			continue
		}
		if failed := o.section(ctx, w, s); failed != nil {
			fmt.Fprintf(w, "\n%s failed: %v\n", s.name, failed)
			err = errors.Join(err, failed)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	err = errors.Join(err, o.once(ctx, w))
	fmt.Fprintf(w, "\n%.0f s in all\n", time.Since(began).Seconds())
	return err
}

// prepare has the things made that are not there.
func (o *options) prepare(ctx context.Context, what []string) error {
	if len(what) > 0 {
		cmd := exec.CommandContext(ctx, o.python, slices.Concat([]string{filepath.Join(o.scripts, "prepare.py"), o.folder}, what)...)
		cmd.Env = o.environment()
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("preparing %v: %w: %s", what, err, lastLines(string(out)))
		}
	}
	// faster-clip looks for a published model's weights under this name, in transformers' layout.
	there := filepath.Join(o.folder, "faster-clip", "sentence-transformers__clip-ViT-B-32", "0_CLIPModel")
	if _, err := os.Stat(there); err == nil || !slices.Contains(what, "folder") {
		return nil
	}
	out, err := exec.CommandContext(ctx, o.goclip, "convert", filepath.Join(o.folder, b32), "--layout", "huggingface", "--out", there).CombinedOutput()
	if err != nil {
		return fmt.Errorf("converting a model for faster-clip: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
