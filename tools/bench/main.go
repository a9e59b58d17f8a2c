// Bench times goclip beside PyTorch, ONNX Runtime and others: each work is done by one
// and then by the other, in processes of their own, several times over, and the
// best of each counts. It prints a table and exits with 1 where a ratio is under
// its bar.
//
//	go run ./tools/bench -peers DIR -checkpoint DIR -data DIR -vocab DIR
//	go run ./tools/bench -tokenizers DIR -vocabularies DIR -python FILE
//	go run ./tools/bench -pictures DIR -opencv DIR -python FILE
//	go run ./tools/bench -losses -python FILE
//	go run ./tools/bench -int8 DIR
//	go run ./tools/bench -models [-names A,B]
//	go run ./tools/bench -families DIR -engines DIR -python FILE [-names A,B] [-isa avx2]
//
// The peers' folder holds torch_clip.py, and ort_bench.mjs with its modules; the
// checkpoint's a random ViT-B/32 and its ONNX towers, written by torch_clip.py. The
// second form times tokenizers beside Hugging Face's library, on one core each; the third
// image files to pixels beside Pillow, OpenCV and torchvision; the fourth losses with their
// gradients beside PyTorch; the fifth ours alone, for tools/models/speeds.csv; the sixth image
// towers beside PyTorch, ONNX Runtime and OpenVINO, all with two threads.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"regexp"
)

// options are where things are and how often they are done.
type options struct {
	peers, checkpoint, data, vocab string
	tokenizers, vocabularies       string
	python                         string // with the peers' libraries
	pictureDir                     string // where image files are, or are written
	opencv, simd                   string // folders with OpenCV and with Pillow-SIMD for Python
	scripts                        string // folder of our own scripts for the peers
	familyDir, engines             string // folders of models, and of Python's packages of what runs them
	isa                            string // an instruction set that both sides are held to; "" is the best
	seconds                        float64
	rounds                         int
	only                           *regexp.Regexp
}

func main() {
	log.SetFlags(0)
	var o options
	flag.StringVar(&o.peers, "peers", "", "folder of the peers' programs")
	flag.StringVar(&o.checkpoint, "checkpoint", "", "folder of a ViT-B/32 in Hugging Face's layout with image.onnx and text.onnx")
	flag.StringVar(&o.data, "data", "", "folder with photos/*.jpg and captions/test.csv")
	flag.StringVar(&o.vocab, "vocab", "", "folder of CLIP's vocabulary")
	flag.StringVar(&o.tokenizers, "tokenizers", "", "folder with captions-10k.txt and NAME/tokenizer.json: only tokenizers are timed")
	flag.StringVar(&o.vocabularies, "vocabularies", "", "folder with NAME/tokenizer.json of those that are not there")
	flag.StringVar(&o.python, "python", python, "Python with the peers' libraries")
	flag.StringVar(&o.pictureDir, "pictures", "", "folder of image files, which are written where there are none: only reading them is timed")
	flag.StringVar(&o.opencv, "opencv", "", "folder with OpenCV's package for Python")
	flag.StringVar(&o.simd, "simd", "", "folder with Pillow-SIMD's")
	flag.IntVar(&o.rounds, "rounds", 5, "how often each side does each work")
	losses := flag.Bool("losses", false, "time losses with their gradients, on all cores")
	only := flag.String("only", "", "regular expression of the works to do; all where empty")
	trained := flag.String("int8", "", "folder of a model of examples/train: integers beside float32, how near and how fast")
	models := flag.Bool("models", false, "time published configurations with random weights, ours alone, on one core")
	names := flag.String("names", "", "configurations for -models and -families; empty for a list of its own")
	flag.StringVar(&o.familyDir, "families", "", "folder of models, which are written where there are none: only image towers are timed")
	flag.StringVar(&o.engines, "engines", "", "folder with Python's packages of ONNX Runtime and OpenVINO")
	flag.StringVar(&o.isa, "isa", "", "avx2: hold both sides of -losses and -families to it")
	flag.Float64Var(&o.seconds, "seconds", 0.3, "how long each side of -families runs in a round, at least one pass")
	ours := flag.String("ours", "", "do our side of one work and print what it took; the program calls itself so")
	flag.Parse()
	var err error
	if o.only, err = regexp.Compile(*only); err != nil {
		log.Fatalf("bench: -only: %v", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *ours != "" {
		if err := o.measure(ctx, *ours, *names); err != nil {
			log.Fatalf("bench: %s: %v", *ours, err)
		}
		return
	}
	if *models {
		if err := o.models(ctx, os.Stdout, cmp.Or(*names, popular)); err != nil {
			log.Fatalf("bench: %v", err)
		}
		return
	}
	if o.familyDir != "" && o.engines != "" && flag.NArg() == 0 {
		if err := o.families(ctx, os.Stdout, cmp.Or(*names, newer)); err != nil {
			log.Fatalf("bench: %v", err)
		}
		return
	}
	if *trained != "" {
		if err := o.int8(ctx, *trained); err != nil {
			log.Fatalf("bench: %v", err)
		}
		return
	}
	if *losses {
		if err := o.losses(ctx); err != nil {
			log.Fatalf("bench: %v", err)
		}
		return
	}
	if o.pictureDir != "" && flag.NArg() == 0 {
		if err := o.pictures(ctx); err != nil {
			log.Fatalf("bench: %v", err)
		}
		return
	}
	beside := o.peers != "" && o.checkpoint != "" && o.data != "" && o.vocab != ""
	if flag.NArg() > 0 || beside == (o.tokenizers != "") || o.rounds < 1 {
		flag.Usage()
		os.Exit(2)
	}
	results, err := o.run(ctx)
	if err != nil {
		log.Fatalf("bench: %v", err)
	}
	if !report(os.Stdout, results) {
		fmt.Println("a ratio is under its bar")
		os.Exit(1)
	}
}
