set -e
for lr in 0.05 0.1; do python train.py $lr | tee -a out.txt; done
