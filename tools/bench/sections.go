package main

import (
	"fmt"
	"runtime"
	"slices"
)

// section is rows whose processes are the same: ours, and each peer's.
type section struct {
	name    string
	prepare []string // of peers/prepare.py
	ours    []string // arguments of worker
	peers   []peer
	rows    []row
	agree   agreement
	seconds float64 // of a turn, where it is not the usual time
}

// peer is what a section's rows are timed beside.
type peer struct {
	name string
	args []string // of peers/peers.py, or of worker for ours
	ours bool     // goclip otherwise: it says what features should be, and counts for no ratio
	simd bool     // in the environment that has Pillow-SIMD
}

// row is a case: what it is called, and the least that the quickest peer's time over ours
// should be; 0 where nothing is wanted.
type row struct {
	name, title string
	wanted      float64
	more        bool     // done only when it is asked for by name
	lacks       []string // peers that cannot do it
}

const (
	b32 = "ViT-B-32-quickgelu"
	l14 = "ViT-L-14-quickgelu"
)

// newer are configurations whose image towers are other than CLIP's.
var newer = []string{"MobileCLIP2-S0", "ViT-B-16-SigLIP2", "PE-Core-B-16", "convnext_base", "EVA02-B-16"}

func sections() []section {
	engines := func(model string) []peer {
		return []peer{{name: "ONNX Runtime", args: []string{"onnxruntime", model}}, {name: "OpenVINO", args: []string{"openvino", model}}}
	}
	search := func(names ...string) (all []peer) {
		for _, n := range names {
			all = append(all, peer{name: n, args: []string{n}})
		}
		return all
	}
	all := []section{{
		name: "ViT-B-32", prepare: []string{"inputs", b32}, ours: []string{"towers", b32}, peers: engines(b32), agree: near(0.01),
		rows: []row{
			{name: "image/1", wanted: 1.1}, {name: "image/8", wanted: 1.1}, {name: "image/32", wanted: 1.1},
			{name: "text/1", wanted: 1.1}, {name: "text/8", wanted: 1.1}, {name: "text/32", wanted: 1.1},
			{name: "captions/64", title: "captions at their own length", wanted: 4.1},
		},
	}, {
		name: "ViT-L-14", prepare: []string{"inputs", l14}, ours: []string{"towers", l14}, peers: engines(l14), agree: near(0.01),
		rows: []row{{name: "image/1", wanted: 1.1}, {name: "image/8", wanted: 1.1}},
	}, {
		name: "training", prepare: []string{"inputs", b32, "toy"}, ours: []string{"training", b32}, agree: near(0.01),
		peers: []peer{{name: "PyTorch, fused", args: []string{"training", b32}}},
		rows: []row{{name: "train/8", title: "ViT-B/32, batch 8, captions of 77 tokens", wanted: 1.5},
			{name: "captions/8", title: "ViT-B/32, batch 8, captions at their own length", wanted: 1.5}, {name: "toy/128", title: "toy, batch 128", wanted: 1.8}},
	}, {
		name: "losses", prepare: []string{"inputs"}, ours: []string{"losses"}, agree: near(0.001),
		peers: []peer{{name: "PyTorch", args: []string{"losses"}}}, rows: lossRows(),
	}, {
		name: "products", ours: []string{"products"}, rows: productRows(), agree: near(1e-5), seconds: 0.06,
		peers: []peer{{name: "OpenBLAS", args: []string{"openblas"}}, {name: "MKL", args: []string{"mkl"}}, {name: "BLIS", args: []string{"blis"}}},
	}, {
		name: "images", prepare: []string{"images"}, ours: []string{"images"}, agree: near(0.5), rows: imageRows(),
		peers: []peer{{name: "torchvision", args: []string{"torchvision"}}, {name: "Pillow", args: []string{"pillow"}},
			{name: "Pillow-SIMD", args: []string{"pillow"}, simd: true}, {name: "OpenCV", args: []string{"opencv"}}},
	}, {
		name: "drafts", prepare: []string{"images"}, ours: []string{"images", "draft"}, agree: near(0.5), rows: hidden(imageRows()),
		peers: []peer{{name: "Pillow, draft", args: []string{"draft"}}, {name: "OpenCV, reduced", args: []string{"reduced"}}},
	}, {
		name: "search", prepare: []string{"vectors"}, ours: []string{"search"}, peers: search("numpy", "faiss", "usearch"), agree: same(0.98),
		rows: []row{{name: "queries/1", wanted: 1.05}, {name: "queries/32", wanted: 1.2}},
	}, {
		name: "int8", prepare: []string{"inputs", b32, b32 + ":int8"}, ours: []string{"towers", b32, "int8"}, agree: cosineTo(),
		peers: []peer{{name: "goclip, float32", args: []string{"towers", b32}, ours: true},
			{name: "ONNX Runtime int8", args: []string{"onnxruntime-int8", b32}}, {name: "OpenVINO int8", args: []string{"openvino-int8", b32}}},
		rows: []row{{name: "image/1", wanted: 1.1}, {name: "image/8", wanted: 1.1}, {name: "text/8", wanted: 1.1}},
	}, {
		name: "int8-files", prepare: []string{"inputs", b32, "folder"}, ours: []string{"towers", b32, "int8"}, agree: cosineTo(),
		peers: []peer{{name: "goclip, float32", args: []string{"towers", b32}, ours: true}, {name: "faster-clip", args: []string{"faster-clip"}}},
		rows:  []row{{name: "file/1", title: "images of 224×224, 1"}, {name: "file/8", title: "images of 224×224, 8"}},
	}, {
		name: "halves", prepare: []string{"inputs", b32}, ours: []string{"towers", b32, "float16"}, agree: near(0.01),
		peers: append([]peer{{name: "goclip, float32", args: []string{"towers", b32}, ours: true}, {name: "goclip, bfloat16", args: []string{"towers", b32, "bfloat16"}, ours: true}}, engines(b32)...),
		rows:  []row{{name: "image/1"}, {name: "image/8"}, {name: "text/8"}},
	}}
	for _, name := range newer {
		peers := append(engines(name), peer{name: "PyTorch", args: []string{"eager", name}}, peer{name: "PyTorch, compiled", args: []string{"compiled", name}})
		all = append(all, section{name: name, prepare: []string{"inputs", name}, ours: []string{"towers", name}, peers: peers, agree: near(0.02),
			rows: []row{{name: "image/1", more: true}, {name: "image/8", more: true}}})
	}
	tokenized := section{name: "tokenizers", ours: []string{"tokenizers", "", captionsFolder}, agree: same(1),
		peers: []peer{{name: "tokenizers", args: []string{"tokenizers", "", captionsFolder}}}}
	for _, t := range [][2]string{{"t5-small", "Unigram 32k"}, {"gemma-256k", "BPE 256k"}, {"bert-base-uncased", "WordPiece 30k"}, {"roberta-base", "byte-level BPE 50k"}} {
		tokenized.rows = append(tokenized.rows, row{name: t[0], title: t[1] + ", 10,000 captions", wanted: 2, more: true},
			row{name: "loading-" + t[0], title: "loading " + t[1], wanted: 2, more: true})
	}
	return append(all, tokenized)
}

// captionsFolder stands for the folder of captions and vocabularies.
const captionsFolder = "CAPTIONS"

// threads are how many each process has: one where others can have no more.
func (s section) threads() int {
	if s.name == "images" || s.name == "drafts" || s.name == "tokenizers" {
		return 1
	}
	return runtime.GOMAXPROCS(0)
}

func lossRows() (rows []row) {
	for _, kind := range []string{"infonce", "sigmoid"} {
		for _, n := range []int{128, 512, 2048, 4096} {
			rows = append(rows, row{name: fmt.Sprintf("%s/%d", kind, n), wanted: 1.2})
		}
	}
	return append(rows, row{name: "infonce/8192", more: true}, row{name: "sigmoid/8192", more: true})
}

// imageRows are files of images; those that most cameras write count.
func imageRows() (rows []row) {
	for _, size := range []string{"0.5", "12"} {
		for _, kind := range []string{"420.jpg", "422.jpg", "444.jpg", "grey.jpg", "CMYK.jpg", "progressive.jpg", "progressive-444.jpg", "restarts.jpg"} {
			r := row{name: size + "-" + kind, wanted: 1, more: kind != "420.jpg"}
			if !r.more {
				r.title = "JPEG of " + size + " megapixels to pixels, one core"
			}
			rows = append(rows, r)
		}
	}
	simd, vision := "Pillow-SIMD", "torchvision" // as it is built, and what it reads
	return append(rows, row{name: "0.5-PNG.png", more: true},
		row{name: "0.5-WebP.webp", more: true, lacks: []string{simd}}, row{name: "0.5-WebP-lossless.webp", more: true, lacks: []string{simd}},
		row{name: "0.5-BMP.bmp", more: true, lacks: []string{vision}}, row{name: "0.5-TIFF.tif", more: true, lacks: []string{vision}},
		row{name: "0.5-TIFF-LZW.tif", more: true, lacks: []string{simd, vision}})
}

func hidden(rows []row) []row {
	for i := range rows {
		rows[i].more, rows[i].wanted = true, 0
	}
	return rows
}

// chosen are the rows of a section that the options ask for.
func (o *options) chosen(s string, rows []row) []row {
	return slices.DeleteFunc(rows, func(r row) bool {
		if o.only.String() == "" {
			return r.more
		}
		return !o.only.MatchString(s + "/" + r.name)
	})
}
