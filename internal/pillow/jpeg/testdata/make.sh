#!/bin/sh
# Writes the JPEG files of this folder and, to reference.txt, the SHA-256 of the
# pixels that libjpeg-turbo decodes from each (of the PPM or PGM file's raster).
# Made with cjpeg and djpeg of libjpeg-turbo 2.1.5.
set -e
cd "$(dirname "$0")"
ppm=$(mktemp)
trap 'rm -f "$ppm"' EXIT
awk 'BEGIN {
	w = 51; h = 37; print "P3\n" w, h "\n255"; s = 7
	for (y = 0; y < h; y++) for (x = 0; x < w; x++) {
		s = (s * 1103 + 12345) % 65536
		n = x > w / 2 ? s % 64 : 0
		edge = (x - 20) ^ 2 + (y - 15) ^ 2 < 120 ? 90 : 0
		print int(x * 3 + n) % 256, int(y * 4 + edge) % 256, int(255 - x * 2 - edge + n / 2) % 256
	}
}' > "$ppm"
: > reference.txt
file() {
	name=$1; shift
	cjpeg "$@" "$ppm" > "$name.jpg"
	echo "$name.jpg $(djpeg -dct int -pnm "$name.jpg" | tail -c +"$((1 + $(djpeg -pnm "$name.jpg" | head -n 3 | wc -c)))" | sha256sum | cut -d' ' -f1)" >> reference.txt
}
file baseline420 -quality 80 -sample 2x2
file baseline422 -quality 80 -sample 2x1 -optimize
file baseline440 -quality 60 -sample 1x2
file baseline444 -quality 95 -sample 1x1
file baseline411 -quality 80 -sample 4x1
file coarse -quality 1 -sample 2x2
file finest -quality 100 -sample 1x1
file restart -quality 75 -sample 2x2 -restart 3B
file gray -quality 80 -grayscale
file rgb -quality 80 -rgb
file progressive420 -quality 80 -sample 2x2 -progressive
file progressive444 -quality 97 -sample 1x1 -progressive
file progressive_restart -quality 75 -sample 2x1 -progressive -restart 2B
