#!/bin/sh
# Gradient descent on x^2 from 1, in a language without any library of ours: sh descent.sh RATE STEPS
awk -v rate="$1" -v steps="$2" 'BEGIN {
    x = 1
    for (step = 1; step <= steps; step++) {
        x -= rate * 2 * x
        printf "epoch %d loss: %.10g\n", step, x * x
        fflush()
        system("sleep 0.05")
    }
}'
