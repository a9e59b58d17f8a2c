// Package convert reads the images of phones and archives, HEIC, AVIF, JPEG XL and
// JPEG 2000, through programs that people have installed: heif-dec or heif-convert,
// avifdec, djxl and opj_decompress, or else vips or ffmpeg.
//
//	conv := convert.New(ctx, nil)
//	img, err := vision.DecodeFile("IMG_0001.HEIC", &vision.DecodeOptions{Converter: conv})
//	set, err := dataset.Open("photos", &dataset.Options{Converter: conv})
//
// Each image is a process of its own, in a folder of its own, with limits on time and
// output, and on Linux on memory and on processor time too. With the first four
// programs pixels are those of Pillow, pillow-heif and pillow-jxl-plugin, but for
// roundings of lossy ones; vips and ffmpeg interpolate chroma otherwise.
//
// No other package of the library starts programs or imports this one.
package convert

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/goclip/goclip/internal/pillow"
	"github.com/goclip/goclip/vision"
)

// Options limits what one image may cost. Zero fields mean the defaults.
type Options struct {
	Timeout   time.Duration // 60 s
	MaxMemory int64         // bytes of address space, on Linux; 4 GiB
}

// New returns a converter for [vision.DecodeOptions] and [dataset.Options]. It looks
// for programs on PATH, once; where there is none for a kind, the error names the
// package that has it. When ctx is done the processes are killed. opts may be nil. It
// is safe for concurrent use.
func New(ctx context.Context, opts *Options) vision.Converter {
	o := Options{}
	if opts != nil {
		o = *opts
	}
	if o.Timeout <= 0 {
		o.Timeout = time.Minute
	}
	if o.MaxMemory <= 0 {
		o.MaxMemory = 4 << 30
	}
	installed := make(map[string]string)
	for _, p := range programs() {
		if path, err := exec.LookPath(p.name); err == nil {
			installed[p.name] = path
		}
	}
	return func(f vision.ForeignFormat, data []byte, maxPixels int) ([]byte, error) {
		return convert(ctx, o, installed, f, data, maxPixels)
	}
}

// convert tries the programs for a format until one succeeds.
func convert(ctx context.Context, o Options, installed map[string]string, f vision.ForeignFormat, data []byte, maxPixels int) ([]byte, error) {
	turned := f == vision.AVIF && pillow.Orientation(data) != 1
	var failed []error
	for _, p := range programs() {
		path := installed[p.name]
		// One that turns an AVIF cannot say so.
		if path == "" || !p.reads(f) || turned && p.turns || f == vision.HEIC && !p.turns && pillow.TurnsHEIC(data) {
			continue
		}
		out, err := run(ctx, o, p, path, f, data, maxPixels)
		if err == nil {
			return out, nil
		}
		failed = append(failed, fmt.Errorf("%s: %w", p.name, err))
		if ctx.Err() != nil || errors.Is(err, errLimit) {
			break
		}
	}
	if len(failed) == 0 {
		return nil, missing(f)
	}
	return nil, fmt.Errorf("%v: %w", f, errors.Join(failed...))
}

// missing says what to install.
func missing(f vision.ForeignFormat) error {
	article := "a"
	if f == vision.AVIF {
		article = "an"
	}
	for _, p := range programs() {
		if p.reads(f) && p.from != "" {
			name := p.name
			if f == vision.HEIC {
				name = "heif-dec or " + name // by the version
			}
			return fmt.Errorf("%s %v image: install %s, which has %s", article, f, p.from, name)
		}
	}
	return fmt.Errorf("no program reads %v", f)
}

// program is one that converts.
type program struct {
	name    string
	from    string // Debian's package, of the one that is recommended for a kind
	formats []vision.ForeignFormat
	turns   bool // as the file says
	// args has INPUT and OUTPUT in the place of the files' names.
	args string
}

func (p program) reads(f vision.ForeignFormat) bool {
	for _, g := range p.formats {
		if f == g {
			return true
		}
	}
	return false
}

// programs are in the order in which they are tried.
func programs() []program {
	type formats = []vision.ForeignFormat
	all := formats{vision.HEIC, vision.AVIF, vision.JPEGXL, vision.JPEG2000}
	return []program{
		{name: "avifdec", from: "libavif-bin", formats: formats{vision.AVIF}, args: "--no-strict --jobs 1 --depth 8 --png-compress 0 INPUT OUTPUT"},
		{name: "djxl", from: "libjxl-tools", formats: formats{vision.JPEGXL}, args: "--num_threads=0 INPUT OUTPUT"},
		{name: "opj_decompress", from: "libopenjp2-tools", formats: formats{vision.JPEG2000}, args: "-quiet -i INPUT -o OUTPUT"},
		{name: "heif-dec", formats: formats{vision.HEIC, vision.AVIF}, turns: true, args: "--quiet INPUT OUTPUT"},
		{name: "heif-convert", from: "libheif-examples", formats: formats{vision.HEIC, vision.AVIF}, turns: true, args: "--quiet INPUT OUTPUT"},
		{name: "vips", formats: all, turns: true, args: "copy INPUT OUTPUT[compression=0]"},
		{name: "ffmpeg", formats: all, args: "-nostdin -loglevel error -threads 1 -noautorotate -i INPUT -frames:v 1 -compression_level 0 OUTPUT"},
	}
}

// arguments splits a program's and puts the files' names in.
func (p program) arguments(in, out string) []string {
	args := strings.Fields(p.args)
	for i, a := range args {
		args[i] = strings.NewReplacer("INPUT", in, "OUTPUT", out).Replace(a)
	}
	return args
}
