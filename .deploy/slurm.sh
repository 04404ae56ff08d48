#!/bin/bash
# The driver of a study as a job of Slurm; its workers are jobs of their own (launcher=slurm), or run in this one.
# Copy it, set the options for your cluster, and submit it in the folder of your study:
#
#     sbatch slurm.sh +study=lr_sweep launcher=slurm launcher.workers=8
#
# Before its time is over the job is told (USR1): everything pauses, the job goes back into the queue, and goes on
# where it was. Preemption (TERM) pauses everything too; Slurm itself puts a preempted job back into the queue. A job
# that you cancel stays cancelled, and the same command goes on.
#SBATCH --job-name=hpsearch
#SBATCH --time=08:00:00
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --signal=B:USR1@180
#SBATCH --requeue
#SBATCH --open-mode=append

python=${PYTHON:-python}

again=
trap 'again=yes; kill -TERM "$driver"' USR1
trap 'kill -TERM "$driver"' TERM

"$python" -m hpsearch "$@" &
driver=$!
while kill -0 "$driver" 2>/dev/null; do
    wait "$driver"  # a signal ends it early
    code=$?
done

if [ -n "$again" ] && [ "$code" = 130 ]; then
    scontrol requeue "$SLURM_JOB_ID"
    sleep 60  # until Slurm ends this run of the job
fi
exit "$code"
