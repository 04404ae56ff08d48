"""What options, keys and values of ours are called elsewhere: in course notes, papers and other libraries.

A term is written without underscores, hyphens, spaces and capitals. A term of several entries means any of them.
"""

NAMES = {
    "optimizer.lr": (
        "lr learningrate learningrateinit initiallearningrate initiallr initlr baselr lrinit eta eta0 学习率"
    ),
    "optimizer.momentum": "momentum mom 动量",
    "optimizer.weight_decay": "weightdecay wd l2weightdecay 权重衰减",
    "optimizer.betas": "betas beta beta1 beta2 adambeta1 adambeta2",
    "optimizer.bias_correction": "biascorrection adamwithoutbiascorrection",
    "optimizer.form": "momentumform velocityform",
    "scheduler.min_factor": "etamin minlr minimumfactor minratio minlrratio minlrrate",
    "optimizer.eps": "epsilon adamepsilon",
    "data.batch_size": (
        "batchsize batch bs trainbatchsize minibatch minibatchsize perdevicetrainbatchsize perdevicebatchsize "
        "pergputrainbatchsize nbatch 批大小 批量大小"
    ),
    "data.micro_batch": (
        "microbatchsize microbatch gradientaccumulation accumulation gradientaccumulationsteps accumulategradbatches "
        "accumulationsteps gradaccum 梯度累积"
    ),
    "data.valid_fraction": "valfraction valsplit validationsplit validsplit valsize validationfraction validsize",
    "data.test_fraction": "testsplit testsize",
    "data.train_size": "trainsize ntrain numtrain trainsamples maxtrainsamples subset subsetsize",
    "data.folds": "folds kfold kfolds nfolds nsplits numfolds cv crossvalidation 交叉验证",
    "data.scaling": "scaling normalize normalization standardization featurescaling scaler",
    "data.loader_workers": "numworkers loaderworkers dataloadernumworkers",
    "data.class_weights": "classweight classweights",
    "trainer.epochs": (
        "epochs numepochs nepochs maxepochs nepoch epoch numtrainepochs trainepochs totalepochs maxiter "
        "轮数 轮 周期 训练轮数"
    ),
    "trainer.steps": (
        "steps maxsteps numsteps nsteps iterations iters numiterations updates totalsteps trainsteps 迭代次数 更新次数"
    ),
    "trainer.eval_batch_size": (
        "evalbatchsize testbatchsize valbatchsize validationbatchsize validbatchsize perdeviceevalbatchsize"
    ),
    "trainer.clip_norm": (
        "clipnorm maxgradnorm gradclip gradientclip gradientclipval gradclipnorm gradientclipping clip clipgrad "
        "clipgradnorm globalclipnorm 梯度裁剪 梯度截断"
    ),
    "trainer.clip_value": "clipvalue clipgradvalue gradclipvalue",
    "trainer.device": "device accelerator",
    "trainer.precision": "precision mixedprecision amp dtype",
    "trainer.compile": "compile torchcompile",
    "trainer.deterministic": "deterministic",
    "trainer.eval_every": "evalevery checkvaleverynepoch",
    "trainer.test": "test",
    "seed": "seed randomstate randomseed manualseed rngseed 随机种子",
    "study.seeds": "seeds nseeds numseeds repeats nrepeats replicates",
    "study.name": "name studyname experimentname runname expname",
    "study.restart": "restart",
    "budget.points": "points ntrials numtrials trials maxevals maxtrials nconfigs npoints niter",
    "budget.seconds": "timeout seconds timelimit maxtime",
    "launcher.workers": "workers nworkers njobs maxworkers parallel numparallel",
    "tracker.uri": "trackinguri mlflowtrackinguri",
    "objective.metric": "monitor scoring metrictomonitor metricforbestmodel",
    "objective.direction": "direction mode goal greaterisbetter",
    "model.hidden": (
        "hidden hiddensize hiddensizes hiddendim hiddendims hiddenunits hiddenlayers hiddenlayersizes units neurons "
        "nhidden mlplayers mlphidden layersizes numhiddenlayers nlayers numlayers layers depth 隐藏层"
    ),
    "model.layers": "layers numlayers nlayers numhiddenlayers",
    "model.depth": "depth layers numlayers nlayers numhiddenlayers numencoderlayers",
    "model.heads": "heads nhead nheads numheads numattentionheads 多头",
    "model.dropout": "dropout dropoutrate dropoutprob pdropout droprate drop hiddendropoutprob keepprob "
    "丢弃法 暂退法 丢弃 丢弃率",
    "model.activation": "activation activationfunction act hiddenact activationfn nonlinearity 激活函数",
    "model.norm": "norm normalization normlayer 归一化",
    "model.kernel_size": "kernelsize kernel filtersize ksize 卷积核",
    "model.channels": "channels filters numfilters nfilters outchannels 通道",
    "model.patch_size": "patchsize patch",
    "model.activation_slope": "negativeslope slope leakyslope",
    "model.norm_groups": "numgroups groups groupsize",
    "model.norm_momentum": "bnmomentum batchnormmomentum",
    "model.norm_eps": "bneps batchnormeps layernormeps bnepsilon",
    "model.activation_pieces": "maxoutpieces pieces maxoutk",
    "model.degree": "degree 次数",
    "model.bidirectional=true": "bidirectional bilstm bigru birnn 双向",
    "loss.margin": "margin",
    "objective.margin": "margin",
    "scheduler.step_size": "stepsize",
    "scheduler.end_factor": "endlr endlearningrate lrend finallr",
    "loss.label_smoothing": "labelsmoothing smoothing labelsmoothingfactor 标签平滑",
    "scheduler.warmup_steps": "warmupsteps numwarmupsteps warmup warmupepochs nwarmupsteps 预热",
    "regularizer.early_stopping.patience": "patience earlystoppingpatience niternochange",
    "scheduler.patience": "patience",
    "budget.patience": "patience",
    "data": "dataset datasets datamodule traindata 数据 数据集",
    "augment": "augmentation augmentations augmentor aug dataaugmentation transforms 数据增强",
    "model": "network net arch architecture backbone modelname modeltype 模型",
    "init": "initializer initialization initialisation weightinit kernelinitializer winit 初始化",
    "loss": "criterion lossfn lossfunction lossfunc 损失函数",
    "metric": "metrics evalmetric 指标",
    "optimizer": "optim optimiser solver opt 优化器 优化算法",
    "scheduler": (
        "lrscheduler lrschedule schedule schedulers lrschedulertype lrpolicy sched lrdecay 学习率衰减 学习率调度"
    ),
    "regularizer": "regularization regularizers regularisation regulariser reg 正则化",
    "sampler": "searchalgorithm searchalg search searcher tuner searchmethod",
    "pruner": "pruning trialscheduler",
    "tracker": "logger tracking",
    "launcher": "executor",
    "init=he_normal": "he kaiming msra kaimingnormal msranormal heinit kaiminginit msrainit",
    "init=he_uniform": "he kaiming msra kaiminguniform heinit kaiminginit",
    "init=xavier_normal": "glorot xavier glorotnormal xavierinit glorotinit",
    "init=xavier_uniform": "glorot xavier glorotuniform xavierinit glorotinit",
    "init=lecun_normal": "lecun lecuninit",
    "init=normal": "gaussian randomnormal truncatednormal",
    "init=zeros": "zero allzeros zerosinit",
    "init=default": "torch pytorch",
    "optimizer=sgd": "sgd gd gradientdescent stochasticgradientdescent vanilla 随机梯度下降",
    "optimizer=momentum": "heavyball sgdmomentum sgdm polyak momentumsgd sgdwithmomentum 动量法",
    "optimizer=nesterov": "nag nesterovmomentum sgdnesterov nesterovacceleratedgradient",
    "optimizer=momentum_warmup": "momentumwarmup",
    "optimizer=adam": "adamoptimizer fusedadam adamwithoutweightdecay",
    "optimizer=adamw": "adamwtorch adamwhf decoupledadam adamwfused",
    "optimizer=rmsprop": "rmspropoptimizer rms",
    "optimizer=adagrad": "adaptivegradient",
    "scheduler=cosine": "cos cosineannealing cosineannealinglr cosinedecay cosineschedule cosinelr annealing 余弦退火",
    "scheduler=cosine_restarts": (
        "sgdr warmrestarts cosineannealingwarmrestarts cosinewarmrestarts cosinewithrestarts cosinedecayrestarts"
    ),
    "scheduler=step": "steplr stepdecay steps",
    "scheduler=multistep": "multisteplr",
    "scheduler=piecewise_constant": "piecewise piecewiseconstantdecay",
    "scheduler=exponential": "exp exponentiallr exponentialdecay expdecay",
    "scheduler=expression": "lambdalr lambda lambdaschedule multiplicativelr multiplicative",
    "scheduler=one_cycle": "onecycle onecyclelr 1cycle superconvergence",
    "scheduler=cyclic": "cycliclr clr cyclical triangular cyclicallr",
    "scheduler=cyclic_triangular2": "triangular2",
    "scheduler=cyclic_exp_range": "exprange",
    "scheduler=constant": "none no fixed constantlr",
    "scheduler=constant_factor": "constantlr",
    "scheduler=linear": "linearlr lineardecay",
    "scheduler=polynomial": "poly polynomiallr polynomialdecay",
    "scheduler=inverse_time": "inversetimedecay inverse timedecay timebased",
    "scheduler=natural_exponential": "naturalexp naturalexpdecay",
    "scheduler=reduce_on_plateau": "plateau reducelronplateau reduceonplateau reducelr",
    "scheduler=sequential": "sequentiallr",
    "scheduler=chained": "chainedscheduler",
    "scheduler.warmup_steps=100": "linearwarmup warmuplr linearwithwarmup cosinewithwarmup constantwithwarmup",
    "loss=cross_entropy": (
        "ce crossentropy crossentropyloss xent categoricalcrossentropy sparsecategoricalcrossentropy "
        "softmaxcrossentropy logloss nll nllloss 交叉熵"
    ),
    "loss=binary_cross_entropy": "bce bceloss bcewithlogits bcewithlogitsloss binarycrossentropy sigmoidcrossentropy",
    "loss=mse": "l2 l2loss mseloss meansquarederror squarederror leastsquares 均方误差",
    "loss=l1": "mae l1loss meanabsoluteerror absoluteerror",
    "loss=huber": "smoothl1 smoothl1loss huberloss",
    "loss=focal": "focalloss 焦点损失",
    "metric=acc": "accuracy categoricalaccuracy accuracyscore 准确率",
    "metric=mae": "l1 meanabsoluteerror meanabsoluteerrormetric",
    "metric=rmse": "rootmeansquarederror",
    "metric=r2": "r2score rsquared coefficientofdetermination",
    "metric=auroc": "auc rocauc rocaucscore aucroc",
    "metric=f1_macro": "f1 f1score macrof1",
    "metric=f1_micro": "f1 f1score microf1",
    "metric=f1_binary": "f1 f1score binaryf1",
    "metric=precision_macro": "precisionscore",
    "metric=recall_macro": "recallscore sensitivity",
    "metric=top_k": "topk top5 topkaccuracy top5accuracy topkcategoricalaccuracy",
    "regularizer=l2": "l2regularization ridge tikhonov l2penalty l2reg",
    "regularizer=l1": "l1regularization lasso l1penalty l1reg",
    "regularizer=elastic_net": "elasticnet l1l2 enet",
    "regularizer=max_norm": "maxnorm maxnormconstraint weightconstraint",
    "regularizer=early_stopping": "earlystopping earlystop earlystopper 早停 早停法 提前停止",
    "regularizer=ema": "exponentialmovingaverage modelema emaweights polyakaveraging",
    "regularizer=swa": "stochasticweightaveraging swamodel averagedmodel",
    "regularizer=mixup": "mixupalpha",
    "regularizer=cutmix": "cutmixalpha",
    "augment=flip": "horizontalflip randomhorizontalflip hflip fliplr 翻转",
    "augment=crop": "randomcrop shift randomshift pad 裁剪",
    "augment=resized_crop": "randomresizedcrop rrc",
    "augment=rotation": "rotate randomrotation 旋转",
    "augment=colour_jitter": "colorjitter color colour jitter brightness contrast",
    "augment=erasing": "randomerasing cutout",
    "model=mlp": "dnn ann fcn fc dense feedforward fullyconnected multilayerperceptron 多层感知机",
    "model=softmax": "softmax回归 softmaxregression linearclassifier multinomial",
    "model=logistic": "logisticregression logit 逻辑回归",
    "model=linear": "linearregression ols 线性回归",
    "model=polynomial": "polynomialregression poly polyfit 多项式回归",
    "model=lenet": "cnn convnet conv lenet5 convolutional 卷积神经网络",
    "model=small_conv": "cnn convnet conv 2c2d simplecnn smallcnn 卷积神经网络",
    "model=elman": "rnn simplernn vanillarnn recurrent 循环神经网络",
    "model=lstm": "rnn recurrent longshorttermmemory 长短期记忆网络 循环神经网络",
    "model=gru": "rnn recurrent gatedrecurrentunit 门控循环单元 循环神经网络",
    "model=vit": "transformer visiontransformer attention selfattention transformerencoder vitb16",
    "model=encoder": "transformer transformerencoder wordencoder",
    "model=svm": "supportvectormachine linearsvm linearsvc svc 支持向量机",
    "model=perceptron": "rosenblatt 感知机 感知器",
    "loss=hinge": "合页损失 svm hingeloss svmloss multimarginloss squaredhinge categoricalhinge",
    "data=conll": "conll2003 ner slotfilling",
    "metric=f1_spans": "seqeval spanf1 entityf1",
    "model=nin": "networkinnetwork",
    "model=googlenet": "inception inceptionv1",
    "model=resnet18": "resnet residual residualnetwork 残差网络",
    "model=vgg11": "vgg vggnet",
    "model=densenet": "densenet121",
    "model=spatial_transformer": "stn spatialtransformernetwork",
    "model.norm=batch": (
        "bn batchnorm batchnormalization batchnorm1d batchnorm2d usebn usebatchnorm 批归一化 批量规范化"
    ),
    "model.norm=layer": "ln layernorm layernormalization",
    "model.norm=group": "gn groupnorm groupnormalization",
    "model.norm=instance": "in instancenorm instancenormalization instancenorm2d",
    "model.norm=weight": "weightnorm weightnormalization",
    "model.norm=local_response": "lrn localresponsenorm localresponsenormalization",
    "model.activation=silu": "swish",
    "model.activation=identity": "linear none",
    "model.activation=leaky_relu": "lrelu",
    "model.activation=sigmoid": "logistic expit",
    "model.activation=tanh": "hyperbolictangent",
    "model.attention=dot": "scaleddotproduct dotproduct scaleddotproductattention",
    "model.attention=additive": "bahdanau",
    "model.pool=avg": "average mean avgpool",
    "model.pool=max": "maxpool maximum",
    "model.cell=elman": "rnn",
    "data.scaling=standardize": "standard standardscaler zscore zeromean",
    "data.scaling=minmax": "minmaxscaler 01 unit",
    "data.batch_size=full": "fullbatch all fullbatchgradientdescent",
    "trainer.precision=bf16": "bfloat16 bf16mixed",
    "trainer.precision=float32": "fp32 32 full",
    "trainer.device=cuda": "gpu",
    "trainer.eval_views=centre_crop": "centrecrop centercrop",
    "trainer.eval_views=ten_crop": "tencrop tta",
    "objective.direction=maximize": "max maximise",
    "objective.direction=minimize": "min minimise",
    "data=fashion_mnist": "fashion fashionmnist fmnist",
    "data=cifar10": "cifar",
    "data=table": "csv dataframe tabular parquet excel pandas",
    "data=images": "imagefolder",
    "data=breast_cancer": "cancer loadbreastcancer",
    "sampler=auto": "hyperopt",
    "sampler=tpe": "bayes bayesian bayesopt bayesianoptimization bo parzen tpesampler hyperopt 贝叶斯优化",
    "sampler=gp": "bayes bayesian bayesopt bayesianoptimization bo gaussianprocess gpsampler kriging 贝叶斯优化",
    "sampler=nsga2": "genetic ga evolution evolutionary geneticalgorithm nsgaii nsgaiisampler 遗传算法",
    "sampler=cmaes": "evolution evolutionary evolutionstrategy cma es cmaessampler",
    "sampler=sobol": "quasirandom qmc qmcsampler halton lowdiscrepancy",
    "sampler=random": "randomsearch randomsampler randomizedsearch randomizedsearchcv montecarlo 随机搜索",
    "sampler=grid": "gridsearch gridsampler gridsearchcv 网格搜索",
    "sampler=manual": "list guess guessandcheck",
    "sampler=brute_force": "bruteforce exhaustive bruteforcesampler",
    "pruner=successive_halving": "asha sha halving successivehalvingpruner ashascheduler",
    "pruner=hyperband": "bohb hyperbandpruner",
    "pruner=median": "medianstopping medianstoppingrule",
    "pruner=none": "nop noppruner fifo",
    "pruner=patience": "patient patientpruner",
    "pruner=top_k_after": "topk",
    "objective=valid_acc": "accuracy acc",
    "objective=valid_loss": "loss",
    "launcher=inline": "local debug sync",
    "launcher=processes": "joblib multiprocessing process",
    "launcher=ray": "cluster raytune distributed",
    "tracker=none": "no off disabled",
    "storage=memory": "inmemory inmemorystorage",
    "storage=journal": "file journalstorage",
    "finetune=head": "linearprobe lastlayer headonly frozen",
    "finetune=last_k": "lastk unfreeze",
    "finetune=all": "full finetuneall",
    "study=lr_sweep": "lrsweep lrsearch",
}
"""Options (``GROUP=OPTION``), keys, groups and values (``KEY=VALUE``) of ours, and the terms that mean them."""

_OTHER_VALUES = """
warmupepochs keepprob beta1 beta2 adambeta1 adambeta2 greaterisbetter amp mixedprecision normalize parallel
gradientaccumulation accumulation gradientaccumulationsteps accumulategradbatches accumulationsteps gradaccum
梯度累积 etamin minlr endlr endlearningrate lrend finallr
layers numlayers nlayers numhiddenlayers depth mixupalpha cutmixalpha
"""
OTHER_VALUES = frozenset(_OTHER_VALUES.split())
"""Terms whose values mean something else than those of what they suggest: epochs against steps, a number of layers."""

_ABSENT = """
adabound adafactor adamax adamc adamp adan apollo asgd diffgrad ftrl lamb lars lbfgs lookahead muon nadamw novograd
radam rprop sam shampoo sophia sparseadam yogi
cosineembedding cosinesimilarity ctc ctcloss hinton kl kldiv kldivloss poissonnll triplet tripletloss
bleu dice iou kappa map mape mcc ndcg perplexity rouge
autoencoder bert dbn diffusion gan gpt gpt2 gpt3 llama mamba rbm swin t5 unet vae yolo
catboost decisiontree knn lightgbm naivebayes randomforest xgboost
boston california celeba cifar100 coco emnist imagenet iris kmnist qmnist stl10 svhn
dehb nsga3 pbt pso smac spos
dropblock dropconnect droppath shakeshake swag
"""
ABSENT = frozenset(_ABSENT.split())
"""Terms of the field that nothing here means, though the name of something here may look alike: no suggestion."""
